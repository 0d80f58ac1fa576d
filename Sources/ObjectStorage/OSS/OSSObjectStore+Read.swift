import Digests
import StorageURI

extension OSSObjectStore {
    func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("looking up the object", key) { () async throws(ServiceFailure) in
            let response = try await headResponse(self.prefix.full(key))
            guard let size = response.headers["content-length"].flatMap({ Int($0) }), size >= 0 else {
                throw ServiceFailure(.corrupt, "the answer gives no length")
            }
            return ObjectInfo(key: key, sizeBytes: size, etag: response.headers["etag"].map(Self.bareTag))
        }
    }

    func headResponse(_ fullKey: String) async throws(ServiceFailure) -> HTTPResponse {
        try await client.perform(OSSOperation(method: "HEAD", key: fullKey)).response
    }

    func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
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
            var headers: [(name: String, value: String)] = []
            if let range = download.rangeHeader {
                // Without the second, one that begins behind the end is answered with the whole object.
                headers += [("Range", range), ("x-oss-range-behavior", "standard")]
            }
            if let tag = download.tag { headers.append(("If-Match", tag)) }
            return try await client.attempt(
                OSSOperation(
                    method: "GET", key: fullKey, headers: headers, responseLimit: download.responseLimit))
        } labels: { response in
            // Over TLS nothing can change on the way, and the digest is not worth its time. Objects made of parts have
            // none.
            RangedDownload.Labels(
                tag: response.headers["etag"],
                md5: client.options.endpoint.isEncrypted
                    ? nil : response.headers["content-md5"].flatMap { [UInt8](base64: $0) })
        }
    }
}
