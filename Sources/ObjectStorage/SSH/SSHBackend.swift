import Glibc
import StorageURI

/// `ssh`: a host reached by SFTP.
enum SSHBackend: StorageBackend {
    static let scheme = StorageScheme.ssh
    static let variables = SSHVariables.groups
    static let retries: EnvironmentVariable? = SSHVariables.maxRetries

    static let permissions: [StorageProbe.Step: String] = [
        .write: "writing (w and x) in the directory", .createIfAbsent: "writing (w and x) in the directory",
        .rangedRead: "reading its files", .list: "reading (r and x) the directory",
        .largeObject: "writing (w and x) in the directory", .delete: "writing (w and x) in the directory",
    ]

    static func inspect(
        _ location: StorageLocation, _ environment: RoleEnvironment
    ) throws(SettingsError) -> StorageInspection {
        try SSHSettings.inspect(location, environment: environment)
    }

    static func findCredentials(
        _ location: StorageLocation, _ environment: RoleEnvironment, http: (any HTTPFetcher)?
    ) async throws -> String? {
        try await BlockingWork.run { _ in try find(location, environment).summary }
    }

    static func open(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> any ObjectStore {
        let settings = try SSHSettings(environment: environment)
        return SSHObjectStore(location: location, options: SSHOptions(settings, location: location)) {
            try find(location, environment)
        }
    }

    private static func find(_ location: StorageLocation, _ environment: RoleEnvironment) throws -> SSHCredentials {
        try SSHCredentialChain.find(user: location.user, environment: environment, localUser: localUser)
    }

    /// The name of the user that this program runs as.
    private static var localUser: String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        guard getpwuid_r(geteuid(), &entry, &buffer, buffer.count, &found) == 0, let found else { return nil }
        return String(cString: found.pointee.pw_name)
    }
}
