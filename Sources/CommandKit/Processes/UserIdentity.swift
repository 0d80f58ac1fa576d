import Glibc

/// A user of this machine, by numbers and by name.
public struct UserIdentity: Sendable, Hashable {
    public let name: String
    public let user: UInt32
    public let group: UInt32
    public let home: String

    /// Whether this process acts as root.
    public static var isRoot: Bool { geteuid() == 0 }

    /// The user that this process acts as.
    public static var current: UserIdentity {
        let user = geteuid()
        return find { getpwuid_r(user, $0, $1, $2, $3) }
            ?? UserIdentity(name: String(user), user: user, group: getegid(), home: "/")
    }

    /// The user of this name.
    public init(named name: String) throws(CommandFailure) {
        guard let found = Self.find({ getpwnam_r(name, $0, $1, $2, $3) }) else {
            throw CommandFailure(
                .configuration, "there is no user \(name) on this machine",
                hint: "name the user that PostgreSQL runs as with --pg-user")
        }
        self = found
    }

    private init(name: String, user: UInt32, group: UInt32, home: String) {
        (self.name, self.user, self.group, self.home) = (name, user, group, home)
    }

    private typealias Lookup = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func find(_ lookup: Lookup) -> UserIdentity? {
        var entry = passwd()
        var result: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64 << 10) { buffer in
            guard lookup(&entry, buffer.baseAddress!, buffer.count, &result) == 0, result != nil else { return nil }
            return UserIdentity(
                name: String(cString: entry.pw_name), user: entry.pw_uid, group: entry.pw_gid,
                home: String(cString: entry.pw_dir))
        }
    }
}
