import StorageURI

/// One request to the service, before it is signed.
struct AzureOperation: Sendable {
    var method: String
    /// The object's whole key; nil for the container itself.
    var key: String?
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: HTTPBody = .none
    var responseLimit = 16 << 20
    /// False where sending it twice is not the same as once.
    var isRepeatable = true
}

/// What a store needs to know, once settings are resolved.
struct AzureOptions: Sendable {
    var service: AzureService
    var container: String
    var apiVersion: String
    var partSizeBytes: Int
    var uploadConcurrency: Int
    /// Nil: as long as bytes move.
    var requestTimeout: Duration?
    var retries = RetryPolicy()

    init(_ settings: AzureSettings, container: String) {
        service = settings.service
        self.container = container
        apiVersion = settings.apiVersion
        partSizeBytes = settings.partSizeBytes
        uploadConcurrency = settings.common.uploadConcurrency
        requestTimeout = settings.requestTimeout
        retries.maximumRetries = settings.maximumRetries
    }

    /// The path of an object, or of the container, as it stands in the URL.
    func path(key: String?) -> String {
        let path = "\(service.path)/\(PercentEncoding.encode(container))"
        return key.map { "\(path)/\(PercentEncoding.encode($0, keeping: "/"))" } ?? path
    }

    /// Whether listings can begin at a name. Versions are dates, and sort as texts.
    var canListFromName: Bool { apiVersion >= "2026-02-06" }
}
