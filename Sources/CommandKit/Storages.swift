public import ObjectStorage
public import StorageURI

/// From the text that names a storage to the storage, with failures as commands report them.
public enum Storages {
    /// Where `text` leads, with the variables that count for `role`.
    public static func location(
        _ text: String, role: StorageRole?, environment: [String: String] = environmentVariables()
    ) throws(CommandFailure) -> StorageLocation {
        do {
            return try StorageLocation(
                parsing: text, environment: RoleEnvironment(environment, role: role),
                currentDirectory: absolutePath("."))
        } catch { throw CommandFailure(.configuration, "\(error)") }
    }

    /// Opens the storage for reading and writing. Nothing is asked of it yet.
    public static func open(
        _ text: String, role: StorageRole, environment: [String: String] = environmentVariables()
    ) throws(CommandFailure) -> any ObjectStore {
        try open(try location(text, role: role, environment: environment), role: role, environment: environment)
    }

    /// Opens the storage at a location. Nothing is asked of it yet.
    public static func open(
        _ location: StorageLocation, role: StorageRole?, environment: [String: String] = environmentVariables()
    ) throws(CommandFailure) -> any ObjectStore {
        do {
            return try ObjectStores.open(location, environment: RoleEnvironment(environment, role: role))
        } catch let error as ObjectStoreError {
            // Nothing was asked of the storage: it is what was configured that cannot be.
            throw CommandFailure(.configuration, error.description)
        } catch { throw CommandFailure(.configuration, "\(location): \(error)") }
    }

    /// Opens the storage so that it can only be read.
    public static func openReadOnly(
        _ text: String, role: StorageRole, environment: [String: String] = environmentVariables()
    ) throws(CommandFailure) -> ReadOnlyStore {
        ReadOnlyStore(try open(text, role: role, environment: environment))
    }
}
