import Digests
import FoundationEssentials
import StorageURI

extension SwiftObjectStore {
    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("looking up the object", key) { () async throws(ServiceFailure) in
            try Self.info(key, try await lookUp(self.prefix.full(key)))
        }
    }

    static func info(_ key: ObjectKey, _ response: HTTPResponse) throws(ServiceFailure) -> ObjectInfo {
        guard let size = response.headers["content-length"].flatMap({ Int($0) }), size >= 0 else {
            throw ServiceFailure(.corrupt, "the answer gives no length")
        }
        return ObjectInfo(key: key, sizeBytes: size, etag: response.headers["etag"].map(bareTag))
    }

    /// - Parameter newest: Ask all copies, not the first that is there, and take the newest.
    func lookUp(_ fullKey: String, newest: Bool = false) async throws(ServiceFailure) -> HTTPResponse {
        var operation = SwiftOperation(method: "HEAD", target: client.object(fullKey))
        if newest { operation.headers.append(("X-Newest", "true")) }
        return try await client.perform(operation)
    }

    /// The same; nil where there is no object, though there is a container.
    func lookUpIfThere(_ fullKey: String, newest: Bool = false) async throws(ServiceFailure) -> HTTPResponse? {
        do throws(ServiceFailure) { return try await lookUp(fullKey, newest: newest) } catch {
            guard error.code == .notFound, !error.isContainerMissing else { throw error }
            return nil
        }
    }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        try await naming("reading the object", key) { () async throws(ServiceFailure) in
            let fullKey = try self.prefix.full(key)
            if let range, range.isEmpty || range.lowerBound < 0 {
                guard range.lowerBound >= 0 else { throw ServiceFailure(.invalid, "a range begins at 0 or behind") }
                _ = try await lookUp(fullKey)  // nothing to read, but it must be there
                return []
            }
            return try await read(fullKey, range)
        }
    }

    private func read(_ fullKey: String, _ range: Range<Int>?) async throws(ServiceFailure) -> [UInt8] {
        try await RangedDownload.read(range, retries: client.options.retries) {
            (download) async throws(ServiceFailure) in
            var operation = SwiftOperation(
                method: "GET", target: client.object(fullKey), responseLimit: download.responseLimit)
            if let range = download.rangeHeader { operation.headers.append(("Range", range)) }
            if let tag = download.tag { operation.headers.append(("If-Match", "\"\(Self.bareTag(tag))\"")) }
            return try await client.attempt(operation)
        } labels: { response in
            RangedDownload.Labels(tag: response.headers["etag"], md5: Self.contentMD5(response))
        }
    }

    /// The tag, where it is the MD5 of the content: that of a large object is one of its segments' tags.
    private static func contentMD5(_ response: HTTPResponse) -> [UInt8]? {
        guard !isSegmented(response), response.headers["x-object-manifest"] == nil,
            let digest = response.headers["etag"].flatMap({ [UInt8](hexadecimal: bareTag($0)) }), digest.count == 16
        else { return nil }
        return digest
    }

    static func isSegmented(_ response: HTTPResponse) -> Bool {
        response.headers["x-static-large-object"]?.lowercased() == "true"
    }
}
