import Digests
import StorageURI

extension AzureObjectStore {
    @discardableResult
    public func put(_ key: ObjectKey, _ body: ObjectBody, mode: PutMode) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("writing the object", key) { () async throws(ServiceFailure) in
            let write = AzureWrite(key: key, fullKey: try self.prefix.full(key), mode: mode)
            var parts = try PartSource(body, partSize: client.options.partSizeBytes)
            guard let first = try await parts.next() else { return try await putWhole(write, .none) }
            if parts.isAtEnd { return try await putWhole(write, first) }
            return try await putBlocks(write, first, &parts)
        }
    }

    /// Writes an object by one request.
    private func putWhole(_ write: AzureWrite, _ body: HTTPBody) async throws(ServiceFailure) -> ObjectInfo {
        do { try await uploads.acquire() } catch { throw .cancelled(error) }
        defer { uploads.release() }
        var operation = AzureOperation(method: "PUT", key: write.fullKey, isRepeatable: write.mode == .overwrite)
        operation.headers = [("x-ms-blob-type", "BlockBlob"), Self.contentType] + write.headers
        try await add(body, to: &operation)
        do throws(ServiceFailure) {
            return Self.written(write, body.count, try await client.perform(operation))
        } catch {
            if error.code == .alreadyExists, error.mayHaveRun, let own = try await ownObject(write) { return own }
            throw error
        }
    }

    /// Writes an object in blocks, several at a time, and joins them. Blocks that are not joined vanish within a week.
    private func putBlocks(
        _ write: AzureWrite, _ first: HTTPBody, _ parts: inout PartSource
    ) async throws(ServiceFailure) -> ObjectInfo {
        let sizes = try await sendParts(
            first, &parts, places: uploads, concurrency: client.options.uploadConcurrency
        ) { (body, number) async throws(ServiceFailure) in
            var operation = AzureOperation(
                method: "PUT", key: write.fullKey, query: [("comp", "block"), ("blockid", write.blockID(number))],
                headers: [Self.contentType])
            try await self.add(body, to: &operation)
            _ = try await self.client.perform(operation)
            return body.count
        }
        return try await join(write, blockCount: sizes.count, byteCount: sizes.reduce(0, +))
    }

    private func join(
        _ write: AzureWrite, blockCount: Int, byteCount: Int
    ) async throws(ServiceFailure) -> ObjectInfo {
        // The latest: where a first try has joined them unseen, they are no longer loose.
        let list = (1...blockCount).map { "<Latest>\(write.blockID($0))</Latest>" }.joined()
        let text = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>\(list)</BlockList>"
        var operation = AzureOperation(
            method: "PUT", key: write.fullKey, query: [("comp", "blocklist")],
            headers: [("Content-Type", "application/xml")] + write.headers, isRepeatable: write.mode == .overwrite)
        try await add(.bytes(Array(text.utf8)), to: &operation)
        do throws(ServiceFailure) {
            return Self.written(write, byteCount, try await client.perform(operation))
        } catch {
            var failure = error
            let isForeign = failure.serviceCode == "InvalidBlockList"
            guard isForeign || failure.code == .alreadyExists && failure.mayHaveRun else { throw failure }
            if let own = try await ownObject(write) { return own }
            // A write to the same key by somebody else throws away the blocks that wait there.
            if isForeign, write.mode == .createOnly, try await exists(write.fullKey) { failure.code = .alreadyExists }
            throw failure
        }
    }

    private static let contentType = (name: "Content-Type", value: "application/octet-stream")

    /// Over plain HTTP the service compares an MD5.
    private func add(_ body: HTTPBody, to operation: inout AzureOperation) async throws(ServiceFailure) {
        operation.body = body
        guard !client.options.service.isEncrypted else { return }
        if let md5 = try await BodyDigests.compute(body, md5: true).md5 {
            operation.headers.append(("Content-MD5", md5.base64))
        }
    }

    private static func written(_ write: AzureWrite, _ byteCount: Int, _ response: HTTPResponse) -> ObjectInfo {
        ObjectInfo(key: write.key, sizeBytes: byteCount, etag: response.headers["etag"].map(bareTag))
    }

    /// What is there, if it is of our own making: an earlier try has succeeded, and its answer was lost. The token
    /// decides, not the content: another writer may well have written the same.
    private func ownObject(_ write: AzureWrite) async throws(ServiceFailure) -> ObjectInfo? {
        let response: HTTPResponse
        do throws(ServiceFailure) { response = try await headResponse(write.fullKey) } catch {
            if error.code == .notFound { return nil }
            throw error
        }
        guard response.headers[AzureWrite.tokenName] == write.token else { return nil }
        return try Self.info(write.key, response)
    }
}

/// One call of `put`: what it is about, and what tells its object and its blocks from any other's.
struct AzureWrite: Sendable {
    /// Names of metadata are identifiers.
    static let tokenName = "x-ms-meta-zenith_write"

    let key: ObjectKey
    let fullKey: String
    let mode: PutMode
    let token: String
    /// What the ids of its blocks begin with.
    private let blockPrefix: [UInt8]

    init(key: ObjectKey, fullKey: String, mode: PutMode) {
        self.key = key
        self.fullKey = fullKey
        self.mode = mode
        blockPrefix = (0..<14).map { _ in UInt8.random(in: 0...255) }
        token = blockPrefix.hexadecimal
    }

    /// Of one length for all blocks, as the service demands.
    func blockID(_ number: Int) -> String {
        (blockPrefix + (0..<4).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }).base64
    }

    /// What makes the object: with its token, and only where there is none if so wanted.
    var headers: [(name: String, value: String)] {
        [(Self.tokenName, token)] + (mode == .createOnly ? [("If-None-Match", "*")] : [])
    }
}
