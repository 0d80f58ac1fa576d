import Digests
import StorageURI

extension S3ObjectStore {
    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("looking up the object", key) { () async throws(ServiceFailure) in
            let response = try await headResponse(self.prefix.full(key))
            guard let size = response.headers["content-length"].flatMap({ Int($0) }), size >= 0 else {
                throw ServiceFailure(.corrupt, "the answer gives no length")
            }
            return ObjectInfo(key: key, sizeBytes: size, etag: response.headers["etag"].map(Self.bareTag))
        }
    }

    func headResponse(_ fullKey: String) async throws(ServiceFailure) -> HTTPResponse {
        try await client.perform(S3Operation(method: "HEAD", key: fullKey, headers: customerKeyHeaders)).response
    }

    /// A tag without the quotation marks around it.
    static func bareTag(_ tag: String) -> String {
        tag.count >= 2 && tag.hasPrefix("\"") && tag.hasSuffix("\"") ? String(tag.dropFirst().dropLast()) : tag
    }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        try await naming("reading the object", key) { () async throws(ServiceFailure) in
            let fullKey = try self.prefix.full(key)
            if let range, range.isEmpty || range.lowerBound < 0 {
                guard range.lowerBound >= 0 else { throw ServiceFailure(.invalid, "a range begins at 0 or behind") }
                _ = try await headResponse(fullKey)  // nothing to read, but it must be there
                return []
            }
            return try await read(fullKey, range)
        }
    }

    private func read(_ fullKey: String, _ range: Range<Int>?) async throws(ServiceFailure) -> [UInt8] {
        try await RangedDownload.read(range, retries: client.options.retries) {
            (download) async throws(ServiceFailure) in
            var headers = customerKeyHeaders
            if let range = download.rangeHeader { headers.append(("Range", range)) }
            if let tag = download.tag { headers.append(("If-Match", tag)) }
            return try await client.attempt(
                S3Operation(
                    method: "GET", key: fullKey, headers: headers, responseLimit: download.responseLimit))
        } labels: { response in
            // Over TLS nothing can change on the way, and the digest is not worth its time.
            RangedDownload.Labels(
                tag: response.headers["etag"],
                md5: client.options.endpoint.isEncrypted ? nil : Self.contentMD5(response))
        }
    }

    /// The tag, where it is the MD5 of the content: keys that the service or we keep make it another digest, and so do
    /// parts.
    static func contentMD5(_ response: HTTPResponse) -> [UInt8]? {
        let encryption = response.headers["x-amz-server-side-encryption"] ?? "AES256"
        guard encryption == "AES256", response.headers["x-amz-server-side-encryption-customer-algorithm"] == nil,
            let digest = response.headers["etag"].flatMap({ [UInt8](hexadecimal: bareTag($0)) }), digest.count == 16
        else { return nil }
        return digest
    }
}
