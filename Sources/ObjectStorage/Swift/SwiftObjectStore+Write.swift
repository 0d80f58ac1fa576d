import Digests
import StorageURI

extension SwiftObjectStore {
    /// What a manifest may name at most, where the service has not been set up otherwise.
    private static let maximumSegments = 1000

    @discardableResult
    public func put(_ key: ObjectKey, _ body: ObjectBody, mode: PutMode) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("writing the object", key) { () async throws(ServiceFailure) in
            let write = SwiftWrite(key: key, fullKey: try self.prefix.full(key), mode: mode)
            let options = client.options
            var parts = try PartSource(
                body, partSize: options.segmentBytes, maximumParts: Self.maximumSegments,
                wholeBytes: options.wholeBytes ?? 4 * options.segmentBytes)
            let existing = try await lookUpIfThere(write.fullKey)
            if mode == .createOnly, existing != nil { throw ServiceFailure(.alreadyExists, "") }
            let replaced = try await existing.map { Self.isSegmented($0) } ?? false ? segmentNames(write.fullKey) : []

            let info: ObjectInfo
            let first = try await parts.next()
            if let first, !parts.isAtEnd {
                info = try await putSegments(write, first, &parts)
            } else {
                info = try await putWhole(write, first ?? .none)
            }
            await regardlessOfCancellation { [segments] in await segments.remove(replaced) }
            return info
        }
    }

    /// Writes an object by one request.
    private func putWhole(_ write: SwiftWrite, _ body: HTTPBody) async throws(ServiceFailure) -> ObjectInfo {
        do { try await uploads.acquire() } catch { throw .cancelled(error) }
        defer { uploads.release() }
        var operation = try await SwiftOperation.upload(body, to: client.object(write.fullKey))
        operation.headers += write.headers
        operation.isRepeatable = write.mode == .overwrite
        let response: HTTPResponse
        do throws(ServiceFailure) { response = try await client.perform(operation) } catch {
            if error.code == .alreadyExists, error.mayHaveRun, let own = try await ownObject(write) { return own }
            throw error
        }
        if await isOverwritten(write) { throw ServiceFailure(.alreadyExists, "written by another at the same moment") }
        return ObjectInfo(key: write.key, sizeBytes: body.count, etag: response.headers["etag"].map(Self.bareTag))
    }

    /// What is there, if it is of our own making: an earlier try has succeeded, and its answer was lost.
    func ownObject(_ write: SwiftWrite) async throws(ServiceFailure) -> ObjectInfo? {
        guard let found = try await lookUpIfThere(write.fullKey, newest: true), write.made(found) else { return nil }
        return try Self.info(write.key, found)
    }

    /// Whether an object that was to be created has been replaced by another's already. Swift lets in all writers that
    /// come before the first one's object is there: most of those that lose are told so by this look.
    func isOverwritten(_ write: SwiftWrite) async -> Bool {
        guard write.mode == .createOnly else { return false }
        do throws(ServiceFailure) {
            guard let found = try await lookUpIfThere(write.fullKey, newest: true) else { return false }
            return !write.made(found)
        } catch {
            return false  // it was written, whatever is wrong now
        }
    }

    /// The segments of a large object that lie where ours do. Others may belong to more than this object.
    func segmentNames(_ fullKey: String) async throws(ServiceFailure) -> [String] {
        let response: HTTPResponse
        do throws(ServiceFailure) {
            response = try await client.perform(
                SwiftOperation(
                    method: "GET", target: client.object(fullKey), query: [("multipart-manifest", "get")]))
        } catch {
            if error.code == .notFound { return [] }
            throw error
        }
        return segments.names(inManifest: response.body)
    }
}

extension SwiftOperation {
    /// A `PUT` with the digest that the service compares with what arrives.
    static func upload(_ body: HTTPBody, to target: Target) async throws(ServiceFailure) -> SwiftOperation {
        var operation = SwiftOperation(method: "PUT", target: target, body: body)
        let digest = try await BodyDigests.compute(body, md5: true).md5
        operation.headers = [("Content-Type", "application/octet-stream")]
        if let digest { operation.headers.append(("ETag", digest.hexadecimal)) }
        return operation
    }
}

/// One call of `put`: what it is about, and what tells its object from any other's.
struct SwiftWrite: Sendable {
    private static let tokenName = "x-object-meta-zenith-write"

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

    /// What the object is written with.
    var headers: [(name: String, value: String)] {
        let token = (Self.tokenName, token)
        return mode == .createOnly ? [token, ("If-None-Match", "*")] : [token]
    }

    /// Whether an object is this call's. The token decides, not the content: another may well have written the same.
    func made(_ head: HTTPResponse) -> Bool { head.headers[Self.tokenName] == token }
}
