import StorageURI

/// `swift`: OpenStack Swift.
enum SwiftBackend: StorageBackend {
    static let scheme = StorageScheme.swift
    static let variables = SwiftVariables.groups
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
