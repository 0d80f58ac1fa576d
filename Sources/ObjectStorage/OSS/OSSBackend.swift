import StorageURI

/// `oss`: Alibaba Cloud OSS.
enum OSSBackend: StorageBackend {
    static let scheme = StorageScheme.oss
    static let variables = OSSVariables.groups
    static let retries: EnvironmentVariable? = nil

    static func inspect(
        _ location: StorageLocation, _ environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection { StorageInspection() }

    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String? { nil }

    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore {
        throw ObjectStoreError(.invalid, "\(location): storage of the kind \(scheme.rawValue):// is not yet supported")
    }
}
