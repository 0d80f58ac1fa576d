import StorageURI

/// `file`: a local or mounted directory.
enum FileBackend: StorageBackend {
    static let scheme = StorageScheme.file
    static let variables: [VariableGroup] = []
    static let retries: EnvironmentVariable? = nil

    static func inspect(
        _ location: StorageLocation, _ environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection { StorageInspection() }

    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String? { nil }

    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore {
        FileObjectStore(root: location.path, location: location)
    }
}
