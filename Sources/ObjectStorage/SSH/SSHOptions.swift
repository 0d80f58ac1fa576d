import StorageURI

/// How one host is reached.
struct SSHOptions: Sendable {
    var host: String
    var port: Int
    var hostKeyCheck: SSHSettings.HostKeyCheck
    var maximumConnections = 8
    var uploadConcurrency = 4
    var partSizeBytes = 8 << 20
    var connectTimeout: Duration = .seconds(15)
    var stallTimeout: Duration = .seconds(30)
    var retries = RetryPolicy()

    init(host: String, port: Int, hostKeyCheck: SSHSettings.HostKeyCheck) {
        self.host = host
        self.port = port
        self.hostKeyCheck = hostKeyCheck
    }

    init(_ settings: SSHSettings, location: StorageLocation) {
        self.init(
            host: location.container, port: location.port ?? settings.port ?? 22, hostKeyCheck: settings.hostKeyCheck)
        maximumConnections = settings.maximumConnections
        uploadConcurrency = settings.common.uploadConcurrency
        partSizeBytes = settings.partSizeBytes
        connectTimeout = settings.connectTimeout
        stallTimeout = settings.stallTimeout
        retries.maximumRetries = settings.maximumRetries
    }
}
