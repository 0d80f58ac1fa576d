import Glibc

/// A user of this machine.
public struct UserIdentity: Sendable, Equatable {
    public let name: String
    public let user: UInt32
    public let group: UInt32

    public static var isRoot: Bool { geteuid() == 0 }

    /// - Throws: `CommandFailure` when there is no such user.
    public init(named name: String) throws(CommandFailure) {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16384)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else {
            throw CommandFailure(
                .configuration, "there is no user \(name) on this machine",
                hint: "name the user that PostgreSQL runs as with --pg-user")
        }
        self.name = name
        user = entry.pw_uid
        group = entry.pw_gid
    }
}
