import StorageURI
import Synchronization

extension S3ObjectStore {
    @discardableResult
    public func put(_ key: ObjectKey, _ body: ObjectBody, mode: PutMode) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("writing the object", key) { () async throws(ServiceFailure) in
            let fullKey = try self.prefix.full(key)
            let write = S3Write(key: key, fullKey: fullKey, mode: mode)
            var parts = try PartSource(body, partSize: client.options.partSizeBytes)
            if mode == .createOnly, mustLookFirst, try await exists(fullKey) {
                throw ServiceFailure(.alreadyExists, "")
            }
            try await checkLocking()
            let info = try await put(write, &parts)
            try await ensureLocked(fullKey)
            return info
        }
    }

    private func put(_ write: S3Write, _ parts: inout PartSource) async throws(ServiceFailure) -> ObjectInfo {
        guard let first = try await parts.next() else { return try await putWhole(write, .none) }
        if parts.isAtEnd { return try await putWhole(write, first) }
        return try await putParts(write, first, &parts)
    }

    private static let smallBytes = 1 << 20

    /// Writes an object by one request.
    private func putWhole(_ write: S3Write, _ body: HTTPBody) async throws(ServiceFailure) -> ObjectInfo {
        // Small bodies weigh nothing: the transport's connections bound how many are under way.
        let takesPlace = body.count > Self.smallBytes
        if takesPlace { do { try await uploads.acquire() } catch { throw .cancelled(error) } }
        defer { if takesPlace { uploads.release() } }
        let payload = try await digesting(body, isCompared: comparesChecksums.load(ordering: .relaxed))
        var operation = S3Operation(
            method: "PUT", key: write.fullKey, headers: creationHeaders, payload: payload,
            isRepeatable: write.mode == .overwrite)
        operation.headers += checksumHeaders(payload)
        if write.mode == .createOnly { operation.headers += [write.tokenHeader, Self.ifAbsent] }
        var response: HTTPResponse
        do throws(ServiceFailure) { response = try await client.perform(operation).response } catch {
            if write.mode == .createOnly, isConditionRefused(error) {
                // The look before has to do.
                conditionalWrites.withLock { $0 = .missing }
                if try await exists(write.fullKey) { throw ServiceFailure(.alreadyExists, "") }
                operation.headers.removeLast()
                response = try await client.perform(operation).response
            } else if error.code == .alreadyExists, error.mayHaveRun, let own = try await ownObject(write) {
                return own
            } else {
                throw error
            }
        }
        if let checksum = payload.checksum?.header, response.headers[checksum.name] == checksum.value {
            comparesChecksums.store(true, ordering: .relaxed)
        }
        if write.mode == .createOnly { await tryOutCondition(operation) }
        return ObjectInfo(key: write.key, sizeBytes: body.count, etag: response.headers["etag"].map(Self.bareTag))
    }

    /// The digests that uploads go with. A service need not compare the signed hash with what arrives, and some do not.
    /// Over plain HTTP bodies get a checksum besides; and an MD5, which takes long and which all compare, until the
    /// service has shown that it knows checksums. Amazon wants an MD5 with all that is to be locked.
    func digesting(_ body: HTTPBody, isCompared: Bool) async throws(ServiceFailure) -> S3Payload {
        let isUncertain = !client.options.endpoint.isEncrypted && !isCompared
        return try await S3Payload.digesting(
            body, isSigned: client.options.signsPayload, needsMD5: isUncertain || client.options.retention != nil)
    }

    /// Over TLS an unsigned body has none but this; a signed one needs none.
    var sendsChecksums: Bool { !client.options.endpoint.isEncrypted || !client.options.signsPayload }

    func checksumHeaders(_ payload: S3Payload) -> [(name: String, value: String)] {
        sendsChecksums ? [payload.checksum?.header].compactMap(\.self) : []
    }

    // MARK: - Create if absent

    static let ifAbsent = (name: "If-None-Match", value: "*")

    /// Until a service has shown that it honours the condition, a look before narrows the gap that is left otherwise.
    var mustLookFirst: Bool { conditionalWrites.withLock { $0 != .honoured } }

    func exists(_ fullKey: String) async throws(ServiceFailure) -> Bool {
        do throws(ServiceFailure) { _ = try await headResponse(fullKey) } catch {
            if error.code == .notFound { return false }
            throw error
        }
        return true
    }

    /// Whether the service says that it has no conditional writes at all.
    func isConditionRefused(_ failure: ServiceFailure) -> Bool {
        failure.status == 501 || failure.serviceCode == "NotImplemented"
    }

    /// The most that is sent twice at once to try the condition out.
    private static let trialLimit = 1 << 20
    /// After so many larger ones, each with a look before it, one of them is: many more may follow.
    private static let looksBeforeTrial = 4

    /// Sends what has just been written once more, which changes nothing: a service that takes it ignores the condition.
    private func tryOutCondition(_ operation: S3Operation) async {
        guard conditionalWrites.withLock({ $0 == .unknown }) else { return }
        guard
            operation.payload.body.count <= Self.trialLimit
                || looksBefore.add(1, ordering: .relaxed).newValue.isMultiple(of: Self.looksBeforeTrial)
        else { return }
        let verdict: ConditionalWrites
        do throws(ServiceFailure) {
            _ = try await client.perform(operation)
            verdict = .missing
        } catch {
            verdict = error.code == .alreadyExists ? .honoured : isConditionRefused(error) ? .missing : .unknown
        }
        conditionalWrites.withLock { if $0 == .unknown { $0 = verdict } }
    }

    /// What is there, if it is of our own making: an earlier try has succeeded, and its answer was lost. The token
    /// decides, not the content: another writer may well have written the same.
    func ownObject(_ write: S3Write) async throws(ServiceFailure) -> ObjectInfo? {
        let response: HTTPResponse
        do throws(ServiceFailure) { response = try await headResponse(write.fullKey) } catch {
            if error.code == .notFound { return nil }
            throw error
        }
        guard response.headers[S3Write.tokenName] == write.token,
            let size = response.headers["content-length"].flatMap({ Int($0) })
        else { return nil }
        return ObjectInfo(key: write.key, sizeBytes: size, etag: response.headers["etag"].map(Self.bareTag))
    }
}

/// One call of `put`: what it is about, and what tells its object from any other's.
struct S3Write: Sendable {
    static let tokenName = "x-amz-meta-zenith-write"

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
