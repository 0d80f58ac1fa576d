import Digests
import StorageURI

extension AzureObjectStore {
    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await naming("looking up the object", key) { () async throws(ServiceFailure) in
            try Self.info(key, try await headResponse(self.prefix.full(key)))
        }
    }

    static func info(_ key: ObjectKey, _ response: HTTPResponse) throws(ServiceFailure) -> ObjectInfo {
        guard let size = response.headers["content-length"].flatMap({ Int($0) }), size >= 0 else {
            throw ServiceFailure(.corrupt, "the answer gives no length")
        }
        return ObjectInfo(key: key, sizeBytes: size, etag: response.headers["etag"].map(bareTag))
    }

    func headResponse(_ fullKey: String) async throws(ServiceFailure) -> HTTPResponse {
        let response = try await client.perform(AzureOperation(method: "HEAD", key: fullKey))
        try Self.refuseDirectory(response)
        return response
    }

    func exists(_ fullKey: String) async throws(ServiceFailure) -> Bool {
        do throws(ServiceFailure) { _ = try await headResponse(fullKey) } catch {
            if error.code == .notFound { return false }
            throw error
        }
        return true
    }

    /// An account with a hierarchical namespace makes something like an object of each folder.
    private static func refuseDirectory(_ response: HTTPResponse) throws(ServiceFailure) {
        let isDirectory =
            response.headers["x-ms-resource-type"] == "directory"
            || response.headers["x-ms-meta-hdi_isfolder"] == "true"
        if isDirectory { throw ServiceFailure(.notFound, "it is a folder") }
    }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        try await naming("reading the object", key) { () async throws(ServiceFailure) in
            let fullKey = try self.prefix.full(key)
            if let range, range.isEmpty || range.lowerBound < 0 {
                guard range.lowerBound >= 0 else { throw ServiceFailure(.invalid, "a range begins at 0 or behind") }
                _ = try await headResponse(fullKey)  // nothing to read, but it must be there
                return []
            }
            return try await RangedDownload.read(range, retries: client.options.retries) {
                (download) async throws(ServiceFailure) in
                try await piece(of: fullKey, download)
            } labels: { response in
                // Over TLS nothing can change on the way, and the digest is not worth its time.
                RangedDownload.Labels(
                    tag: response.headers["etag"],
                    md5: client.options.service.isEncrypted ? nil : Self.contentMD5(response))
            }
        }
    }

    private func piece(of fullKey: String, _ download: RangedDownload) async throws(ServiceFailure) -> HTTPResponse {
        var operation = AzureOperation(method: "GET", key: fullKey, responseLimit: download.responseLimit)
        if let range = download.rangeHeader { operation.headers.append(("x-ms-range", range)) }
        if let tag = download.tag { operation.headers.append(("If-Match", tag)) }
        let response = try await client.attempt(operation)
        try Self.refuseDirectory(response)
        // What begins at the object's end is nothing to Azure's emulator, and an error to Azure.
        if response.status == 206, response.headers["content-length"] == "0" {
            var failure = ServiceFailure(.invalid, "nothing is there")
            failure.status = 416
            throw failure
        }
        return response
    }

    /// The MD5 of the whole object, where it was written with one. Of a part, `Content-MD5` is the part's.
    private static func contentMD5(_ response: HTTPResponse) -> [UInt8]? {
        let text =
            response.headers["x-ms-blob-content-md5"]
            ?? (response.status == 200 ? response.headers["content-md5"] : nil)
        return text.flatMap { [UInt8](base64: $0) }
    }
}
