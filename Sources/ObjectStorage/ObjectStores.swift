public import StorageURI

/// The backends: which store serves which kind of location.
public enum ObjectStores {
    /// A backend: makes the store of a location, with what the environment says to its role. Nothing is sent yet.
    private typealias Backend = @Sendable (StorageLocation, RoleEnvironment) throws -> any ObjectStore

    /// One line a backend.
    private static let backends: [StorageScheme: Backend] = [
        .file: { location, _ in FileObjectStore(root: location.path, location: location) },
        .s3: { location, environment in try S3ObjectStore.open(location, environment: environment) },
    ]

    /// The schemes that `open` knows.
    public static var supportedSchemes: [StorageScheme] {
        StorageScheme.allCases.filter { backends[$0] != nil }
    }

    /// The store of `location`. It is not contacted: what the location or the environment gets wrong shows here, and
    /// what the service refuses at the first call.
    ///
    /// - Throws: `SettingsError` with all that is wrong with the environment; `ObjectStoreError.invalid` for a scheme
    ///   without a backend.
    public static func open(_ location: StorageLocation, environment: RoleEnvironment) throws -> any ObjectStore {
        guard let backend = backends[location.scheme] else {
            let known = supportedSchemes.map(\.rawValue).joined(separator: ", ")
            throw ObjectStoreError(
                .invalid,
                "\(location): storage of the kind \(location.scheme.rawValue):// is not yet supported (supported: \(known))"
            )
        }
        return try backend(location, environment)
    }

    /// The store of `location`, for what must not write there.
    ///
    /// - Throws: As `open` does.
    public static func openReadOnly(_ location: StorageLocation, environment: RoleEnvironment) throws -> ReadOnlyStore {
        ReadOnlyStore(try open(location, environment: environment))
    }
}
