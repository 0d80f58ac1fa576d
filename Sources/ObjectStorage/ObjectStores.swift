public import StorageURI

/// The kinds of storage there are.
public enum ObjectStores {
    /// One line a kind, in the order of the reference.
    private static let backends: [any StorageBackend.Type] = [
        FileBackend.self,
        S3Backend.self,
        GoogleCloudBackend.self,
        AzureBackend.self,
        SwiftBackend.self,
        OSSBackend.self,
        SSHBackend.self,
    ]

    /// Every variable that any of them reads.
    public static let variables = StorageVariables(kinds: backends.map { $0.variables })

    /// The backend of a scheme: each has one.
    public static func backend(_ scheme: StorageScheme) -> any StorageBackend.Type {
        guard let backend = backends.first(where: { $0.scheme == scheme }) else {
            preconditionFailure("no backend for \(scheme)")
        }
        return backend
    }

    /// The store of `location`. It is not contacted: what the location or the environment gets wrong shows here, and
    /// what the service refuses at the first call.
    ///
    /// - Throws: `SettingsError` with all that is wrong with the environment.
    public static func open(_ location: StorageLocation, environment: RoleEnvironment) throws -> any ObjectStore {
        try backend(location.scheme).open(location, environment)
    }

    /// The store of `location`, for what must not write there.
    ///
    /// - Throws: As `open` does.
    public static func openReadOnly(_ location: StorageLocation, environment: RoleEnvironment) throws -> ReadOnlyStore {
        ReadOnlyStore(try open(location, environment: environment))
    }
}
