import StorageURI

/// `oss`: Alibaba Cloud OSS.
enum OSSBackend: StorageBackend {
    static let scheme = StorageScheme.oss
    static let variables = OSSVariables.groups
    static let retries: EnvironmentVariable? = OSSVariables.maxRetries

    static func inspect(
        _ location: StorageLocation, _ environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection {
        try OSSSettings.inspect(bucket: location.container, environment: environment)
    }

    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String? {
        let settings = try OSSSettings(bucket: location.container, environment: environment)
        let chain = credentials(settings, environment, http: http)
        let found = try await chain.credentials(refresh: false)
        // Four characters tell two keys apart.
        return "\(found.source) (key …\(found.accessKeyID.suffix(4)))"
            + (found.expiration == nil ? "" : ", temporary")
    }

    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore {
        let settings = try OSSSettings(bucket: location.container, environment: environment)
        return OSSObjectStore(
            location: location, options: OSSOptions(settings, bucket: location.container),
            credentials: credentials(settings, environment, http: nil),
            transport: HTTPTransport(settings: HTTPTransportSettings(settings, environment: environment)))
    }

    private static func credentials(
        _ settings: OSSSettings, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) -> any AlibabaCredentialProvider {
        AlibabaCredentialChain.make(
            environment: environment, region: settings.region,
            http: http ?? HTTPTransport(settings: HTTPTransportSettings(settings, environment: environment)))
    }
}

extension OSSOptions {
    init(_ settings: OSSSettings, bucket: String) {
        endpoint = settings.endpoint
        self.bucket = bucket
        region = settings.usesV1 ? nil : settings.region
        partSizeBytes = settings.partSizeBytes
        uploadConcurrency = settings.common.uploadConcurrency
        storageClass = settings.storageClass
        requestTimeout = settings.requestTimeout
        retries.maximumRetries = settings.maximumRetries
    }
}

extension HTTPTransportSettings {
    init(_ settings: OSSSettings, environment: RoleEnvironment) {
        self.init(settings.common, environment: environment)
        connectTimeout = settings.connectTimeout
        stallTimeout = settings.stallTimeout
    }
}
