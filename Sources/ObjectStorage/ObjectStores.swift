public import StorageURI

/// From a location to the store that keeps it: one line a backend.
public enum ObjectStores {
    /// Opens a storage. Nothing is asked of it yet.
    ///
    /// - Parameter environment: Where the settings and credentials of the storage's role are looked up.
    /// - Throws: `ObjectStoreError` with `.invalid` for a storage whose transport is not there yet.
    public static func open(
        _ location: StorageLocation, environment: RoleEnvironment
    ) throws -> any ObjectStore {
        switch location.scheme {
        case .file: return FileObjectStore(root: location.path, location: location)
        case .s3, .gs, .azure, .swift, .oss, .ssh:
            throw ObjectStoreError(.invalid, "\(location): \(location.scheme.rawValue):// is not yet supported")
        }
    }
}
