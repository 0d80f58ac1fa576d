public import StorageURI

/// One kind of storage: what it reads from the environment, and the store that it makes of a location.
public protocol StorageBackend: Sendable {
    static var scheme: StorageScheme { get }

    /// What it reads from the environment, as the reference shows it.
    static var variables: [VariableGroup] { get }

    /// The variable that says how often requests are repeated; nil where none are.
    static var retries: EnvironmentVariable? { get }

    /// What an identity must be allowed to do for a step of the check, in the service's own words.
    static var permissions: [StorageProbe.Step: String] { get }

    /// What the environment says to the storage. Nothing is sent.
    ///
    /// - Throws: `SettingsError` with all that is wrong with it.
    static func inspect(_ location: StorageLocation, _ environment: RoleEnvironment) throws(SettingsError)
        -> StorageInspection

    /// Finds the credentials, and tells where they came from and, in a few characters, which they are; nil where the
    /// storage needs none.
    ///
    /// - Parameter http: How credential services are reached, in place of the storage's own transport. A `ProgramRunner`
    ///   too, if programs that hand out credentials are to be run.
    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String?

    /// The store of a location. Nothing is sent yet.
    ///
    /// - Throws: `SettingsError` with all that is wrong with the environment.
    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore
}

extension StorageBackend {
    public static var permissions: [StorageProbe.Step: String] { [:] }
}
