import Digests
import StorageURI
import Synchronization

extension GoogleCloudObjectStore {
    /// What goes up by a single request at most. Behind it a session costs little, and saves sending all again.
    private static let wholeLimit = 8 << 20

    @discardableResult
    public func put(_ key: ObjectKey, _ body: ObjectBody, mode: PutMode) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("writing the object", key) { () async throws(ServiceFailure) in
            let write = GoogleCloudWrite(key: key, fullKey: try self.prefix.full(key), mode: mode)
            var parts = try PartSource(body, partSize: client.options.chunkBytes)
            try await look(before: write)
            guard let first = try await parts.next() else { return try await putWhole(write, .none) }
            if parts.isAtEnd, first.count <= Self.wholeLimit { return try await putWhole(write, first) }
            return try await putInChunks(write, first, &parts)
        }
    }

    /// Writes an object by one request, which has its description and its content.
    private func putWhole(_ write: GoogleCloudWrite, _ body: HTTPBody) async throws(ServiceFailure) -> ObjectInfo {
        do { try await uploads.acquire() } catch { throw .cancelled(error) }
        defer { uploads.release() }
        let digest = try await BodyDigests.compute(body, crc32c: CRC32C()).crc32c ?? CRC32C()
        let form = try await GoogleCloudForm.make(write.description(digest), body)
        let operation = GoogleCloudOperation(
            method: "POST", target: client.uploadTarget([("uploadType", "multipart")] + write.condition),
            headers: [("Content-Type", form.contentType)] + client.options.encryptionHeaders, body: .bytes(form.bytes),
            isRepeatable: write.mode == .overwrite)
        var retrier = Retrier(policy: client.options.retries)
        while true {
            do throws(ServiceFailure) {
                let object = try GoogleCloudObject.parse(try await client.attempt(operation))
                try await confirm(object, digest, write)
                await tryOutCondition(operation, write)
                return write.info(object)
            } catch {
                if error.code == .alreadyExists, error.mayHaveRun || retrier.mayHaveRun,
                    let own = try await ownObject(write, digest)
                {
                    return write.info(own)
                }
                try await retrier.wait(after: error)
            }
        }
    }

    /// Makes sure that what was stored is what was meant. What is not is removed.
    func confirm(
        _ object: GoogleCloudObject, _ digest: CRC32C, _ write: GoogleCloudWrite
    ) async throws(ServiceFailure) {
        guard let stored = object.crc32c, stored != digest.value else { return }
        try await remove(write.fullKey, generation: object.generation)
        var failure = ServiceFailure(.unavailable, "what was stored is not what was sent: it was changed on its way")
        failure.serviceCode = ServiceFailure.badDigest
        failure.isRetryable = true
        throw failure
    }

    // MARK: - Create if absent

    /// Where the service has not shown that it honours the condition in every kind of upload, looks first.
    func look(before write: GoogleCloudWrite) async throws(ServiceFailure) {
        guard write.mode == .createOnly, !client.options.isGoogle else { return }
        do throws(ServiceFailure) { _ = try await object(write.fullKey) } catch {
            if error.code == .notFound { return }
            throw error
        }
        throw ServiceFailure(.alreadyExists, "")
    }

    /// Sends what has just been written once more, which changes nothing: a service that takes it ignores the condition.
    private func tryOutCondition(_ operation: GoogleCloudOperation, _ write: GoogleCloudWrite) async {
        guard write.mode == .createOnly, conditionalWrites.withLock({ $0 == .unknown }) else { return }
        let verdict: ConditionalWrites
        do throws(ServiceFailure) {
            _ = try await client.perform(operation)
            verdict = .missing
        } catch {
            verdict = error.code == .alreadyExists ? .honoured : .unknown
        }
        conditionalWrites.withLock { if $0 == .unknown { $0 = verdict } }
    }

    /// What is there, if it is of our own making: an earlier try has succeeded, and its answer was lost. The token
    /// decides, not the content: another writer may well have written the same.
    func ownObject(
        _ write: GoogleCloudWrite, _ digest: CRC32C
    ) async throws(ServiceFailure) -> GoogleCloudObject? {
        let found: GoogleCloudObject
        do throws(ServiceFailure) { found = try await object(write.fullKey) } catch {
            if error.code == .notFound { return nil }
            throw error
        }
        guard found.metadata?[GoogleCloudWrite.tokenName] == write.token else { return nil }
        try await confirm(found, digest, write)
        return found
    }
}

/// One call of `put`: what it is about, and what tells its object from any other's.
struct GoogleCloudWrite: Sendable {
    static let tokenName = "zenith-write"

    let key: ObjectKey
    let fullKey: String
    let mode: PutMode
    let token = (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 16) }.joined(separator: "-")

    /// What makes the service leave alone what is there.
    var condition: [(name: String, value: String)] { mode == .createOnly ? [("ifGenerationMatch", "0")] : [] }

    /// The description of the new object.
    ///
    /// - Parameter digest: Compared by the service with what arrives; nil where it is not known yet.
    func description(_ digest: CRC32C?) -> GoogleCloudDescription {
        GoogleCloudDescription(name: fullKey, crc32c: digest?.base64, metadata: [Self.tokenName: token])
    }

    func info(_ object: GoogleCloudObject) -> ObjectInfo {
        ObjectInfo(key: key, sizeBytes: object.sizeBytes, etag: object.generation)
    }
}

/// What an upload says of the object that it makes.
struct GoogleCloudDescription: Encodable, Sendable {
    let name: String
    let crc32c: String?
    let contentType = "application/octet-stream"
    let metadata: [String: String]
}
