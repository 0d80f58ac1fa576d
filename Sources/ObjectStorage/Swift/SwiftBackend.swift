import StorageURI

/// `swift`: OpenStack Swift, and what speaks its protocol.
enum SwiftBackend: StorageBackend {
    static let scheme = StorageScheme.swift
    static let variables = SwiftVariables.groups
    static let retries: EnvironmentVariable? = SwiftVariables.retries

    static func inspect(
        _ location: StorageLocation, _ environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection {
        try SwiftSettings.inspect(environment: environment)
    }

    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String? {
        let settings = try SwiftSettings(environment: environment)
        let http = http ?? HTTPTransport(settings: HTTPTransportSettings(settings, environment: environment))
        let found = try await SwiftTokenSource(environment: environment, http: http).token(refresh: false)
        return found.source + (found.expiration == nil ? "" : ", temporary")
    }

    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore {
        let settings = try SwiftSettings(environment: environment)
        // The identity service is part of the same cloud: certificate authorities are the same.
        let transport = HTTPTransport(settings: HTTPTransportSettings(settings, environment: environment))
        return SwiftObjectStore(
            location: location, options: SwiftOptions(settings),
            tokens: SwiftTokenSource(environment: environment, http: transport), transport: transport)
    }
}

extension SwiftOptions {
    init(_ settings: SwiftSettings) {
        segmentBytes = settings.segmentSizeBytes
        uploadConcurrency = settings.common.uploadConcurrency
        retries.maximumRetries = settings.maximumRetries
    }
}

extension HTTPTransportSettings {
    init(_ settings: SwiftSettings, environment: RoleEnvironment) {
        self.init(settings.common, environment: environment)
        connectTimeout = settings.connectTimeout
        stallTimeout = settings.stallTimeout
        userAgent = settings.userAgent
    }
}
