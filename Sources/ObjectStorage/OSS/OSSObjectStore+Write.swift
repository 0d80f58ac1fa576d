import StorageURI
import Synchronization

extension OSSObjectStore {
    @discardableResult
    func put(_ key: ObjectKey, _ body: ObjectBody, mode: PutMode) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("writing the object", key) { () async throws(ServiceFailure) in
            let fullKey = try self.prefix.full(key)
            let write = OSSWrite(key: key, fullKey: fullKey, mode: mode)
            var parts = try PartSource(body, partSize: client.options.partSizeBytes)
            if mode == .createOnly, mustLookFirst, try await exists(fullKey) {
                throw ServiceFailure(.alreadyExists, "")
            }
            guard let first = try await parts.next() else { return try await putWhole(write, .none) }
            if parts.isAtEnd { return try await putWhole(write, first) }
            return try await putParts(write, first, &parts)
        }
    }

    /// Writes an object by one request.
    private func putWhole(_ write: OSSWrite, _ body: HTTPBody) async throws(ServiceFailure) -> ObjectInfo {
        do { try await uploads.acquire() } catch { throw .cancelled(error) }
        defer { uploads.release() }
        var operation = OSSOperation(
            method: "PUT", key: write.fullKey, headers: creationHeaders, isRepeatable: write.mode == .overwrite)
        if write.mode == .createOnly { operation.headers += [write.tokenHeader, Self.ifAbsent] }
        try await operation.send(body)
        let response: HTTPResponse
        do throws(ServiceFailure) { response = try await client.perform(operation).response } catch {
            if error.code == .alreadyExists, error.mayHaveRun, let own = try await ownObject(write) { return own }
            throw error
        }
        if write.mode == .createOnly {
            noteVersions(response)
            await tryOutCondition(operation)
        }
        return ObjectInfo(key: write.key, sizeBytes: body.count, etag: response.headers["etag"].map(Self.bareTag))
    }

    // MARK: - Create if absent

    static let ifAbsent = (name: "x-oss-forbid-overwrite", value: "true")

    /// Until it is known that the condition is honoured, a look before narrows the gap that is left otherwise.
    var mustLookFirst: Bool { conditionalWrites.withLock { $0 != .honoured } }

    func exists(_ fullKey: String) async throws(ServiceFailure) -> Bool {
        do throws(ServiceFailure) { _ = try await headResponse(fullKey) } catch {
            if error.code == .notFound, !error.isContainerMissing { return false }
            throw error
        }
        return true
    }

    /// Learns from the answer to a write: where versions are kept, or have been, it names the new one, and the service
    /// takes no notice of the condition.
    func noteVersions(_ response: HTTPResponse) {
        let hasVersion = response.headers["x-oss-version-id"] != nil
        let isKnown = client.options.endpoint.isAlibaba
        conditionalWrites.withLock { state in
            if hasVersion { state = .missing } else if isKnown, state == .unknown { state = .honoured }
        }
    }

    /// The most that is sent twice to try the condition out.
    private static let trialLimit = 1 << 20

    /// Sends to a service that is not Alibaba Cloud's own what has just been written once more, which changes nothing:
    /// one that takes it ignores the condition.
    private func tryOutCondition(_ operation: OSSOperation) async {
        guard operation.body.count <= Self.trialLimit, conditionalWrites.withLock({ $0 == .unknown }) else { return }
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
    func ownObject(_ write: OSSWrite) async throws(ServiceFailure) -> ObjectInfo? {
        let response: HTTPResponse
        do throws(ServiceFailure) { response = try await headResponse(write.fullKey) } catch {
            if error.code == .notFound { return nil }
            throw error
        }
        guard response.headers[OSSWrite.tokenName] == write.token,
            let size = response.headers["content-length"].flatMap({ Int($0) })
        else { return nil }
        return ObjectInfo(key: write.key, sizeBytes: size, etag: response.headers["etag"].map(Self.bareTag))
    }
}

/// One call of `put`: what it is about, and what tells its object from any other's.
struct OSSWrite: Sendable {
    static let tokenName = "x-oss-meta-zenith-write"

    let key: ObjectKey
    let fullKey: String
    let mode: PutMode
    let token: String

    init(key: ObjectKey, fullKey: String, mode: PutMode) {
        self.key = key
        self.fullKey = fullKey
        self.mode = mode
        token = (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 16) }.joined(separator: "-")
    }

    var tokenHeader: (name: String, value: String) { (Self.tokenName, token) }
}
