import Digests
import StorageURI

/// What a store needs to know, once settings are resolved.
struct GoogleCloudOptions: Sendable {
    /// The service's address, without a slash at its end.
    var endpoint: String
    var bucket: String
    /// One of Google's own hosts, which keep every promise of the service.
    var isGoogle: Bool
    var quotaProject: String?
    /// 32 bytes to encrypt with, in place of the service's own keys.
    var encryptionKey: [UInt8]?
    /// What one request of an upload sends; a multiple of 256 KiB.
    var chunkBytes = 16 << 20
    var uploadConcurrency = 4
    var retries = RetryPolicy()
    var requestTimeout: Duration = .seconds(600)

    init(endpoint: String, bucket: String, isGoogle: Bool) {
        self.endpoint = endpoint
        self.bucket = bucket
        self.isGoogle = isGoogle
    }

    init(_ settings: GoogleCloudSettings, bucket: String) {
        self.init(endpoint: settings.endpoint, bucket: bucket, isGoogle: settings.isGoogle)
        quotaProject = settings.quotaProject
        // Checked when the settings were read.
        encryptionKey = settings.encryptionKey.flatMap(GoogleCloudSettings.decodeKey)
        chunkBytes = settings.chunkBytes
        uploadConcurrency = settings.common.uploadConcurrency
        retries.maximumRetries = settings.maximumRetries
        requestTimeout = settings.requestTimeout
    }

    /// Scheme, host and port.
    var origin: String {
        let parts = endpoint.split(separator: "/", omittingEmptySubsequences: false)
        return parts.prefix(3).joined(separator: "/")
    }

    /// Host and port.
    var authority: String { String(origin.split(separator: "/").last ?? "") }

    /// What every request to an object that we encrypt ourselves needs.
    var encryptionHeaders: [(name: String, value: String)] {
        guard let encryptionKey else { return [] }
        return [
            ("x-goog-encryption-algorithm", "AES256"), ("x-goog-encryption-key", encryptionKey.base64),
            ("x-goog-encryption-key-sha256", Digest.sha256(encryptionKey).base64),
        ]
    }
}

/// One request to the service, before it gets its token.
struct GoogleCloudOperation: Sendable {
    var method: String
    /// Path and query, encoded, behind the endpoint's own path.
    var target: String
    var headers: [(name: String, value: String)] = []
    var body: HTTPBody = .none
    var responseLimit = 16 << 20
    /// False where sending it twice is not the same as once.
    var isRepeatable = true
    /// True for the address of an upload's session, which the service has given, with its path.
    var isSession = false

    /// - Parameter path: Below `/storage/v1/b/BUCKET`, encoded.
    static func target(
        _ prefix: String = "", bucket: String, _ path: String, query: [(name: String, value: String)] = []
    ) -> String {
        let items = query.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
        let place = "\(prefix)/storage/v1/b/\(PercentEncoding.encode(bucket))\(path)"
        return items.isEmpty ? place : "\(place)?\(items)"
    }
}
