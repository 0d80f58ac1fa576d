import Foundation

/// The programs of one major version of PostgreSQL.
public struct PostgresInstallation: Sendable, Hashable, CustomStringConvertible {
    public let major: Int
    /// The directory that holds `postgres`, `initdb`, `psql`, ….
    public let bin: String

    /// The versions that Zenith works with, and that `scripts/setup-postgres` installs.
    public static let majors = [14, 15, 16, 17, 18]

    public var description: String { "PostgreSQL \(major)" }

    /// The installation of this major version: Debian's package, else what `scripts/setup-postgres` unpacked.
    public static func available(major: Int) -> PostgresInstallation? {
        let cache = ProcessInfo.processInfo.environment["ZENITH_TEST_CACHE"] ?? "/var/tmp/zenith-test"
        return ["/usr/lib/postgresql/\(major)/bin", "\(cache)/postgresql/\(major)/bin"]
            .first { FileManager.default.isExecutableFile(atPath: $0 + "/postgres") }
            .map { PostgresInstallation(major: major, bin: $0) }
    }

    /// The same, or an error that says how to get it: a test without its server fails, it is not skipped.
    public static func require(major: Int) throws -> PostgresInstallation {
        guard let found = available(major: major) else {
            throw PostgresTestError("PostgreSQL \(major) is not installed: run scripts/setup-postgres")
        }
        return found
    }

    /// A PostgreSQL 15 with small segment files, where `ZENITH_TEST_SEGSIZE_BIN` names its programs' directory:
    /// `make test-segsize` builds it.
    public static let smallSegments = ProcessInfo.processInfo.environment["ZENITH_TEST_SEGSIZE_BIN"]
        .map { PostgresInstallation(major: 15, bin: $0) }

    /// Runs one of its programs (or any other, named by its path) as the user that PostgreSQL accepts: the current
    /// one, or, when that is root, `postgres`. The program sees no `PG…` variable but the given ones.
    public func run(
        _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:],
        directory: String = "/"
    ) throws -> ShellResult {
        var variables: [String: String?] = ["LC_ALL": "C.UTF-8"]
        for name in ProcessInfo.processInfo.environment.keys where name.hasPrefix("PG") { variables[name] = .some(nil) }
        variables.merge(environment) { $1 }
        let path = program.contains("/") ? program : "\(bin)/\(program)"
        return try TestSupport.run(
            Self.asServerUser + [path] + arguments, environment: variables, directory: directory)
    }

    /// Like `run`, for programs that must succeed: returns the output, throws what they complained about.
    @discardableResult
    public func check(
        _ program: String, _ arguments: [String] = [], environment: [String: String?] = [:],
        directory: String = "/"
    ) throws -> String {
        let result = try run(program, arguments, environment: environment, directory: directory)
        guard result.status == 0 else {
            throw PostgresTestError(
                "\(program) \(arguments.joined(separator: " ")): exit \(result.status): \(result.error)\(result.output)"
            )
        }
        return result.output
    }

    /// The account that servers run as when the tests run as root.
    public static let serverUser = "postgres"

    /// What precedes a command line so that it runs as the server's user; empty when that is the current one.
    public static var asServerUser: [String] {
        guard geteuid() == 0 else { return [] }
        return ["setpriv", "--reuid=\(serverUser)", "--regid=\(serverUser)", "--init-groups", "--"]
    }

    /// Makes a new directory below `/tmp` (short, since a socket's path holds no more than 107 bytes), mode 0700, owned
    /// by the server's user.
    public static func makeDirectory(prefix: String = "zpg") throws -> String {
        let made = try TestSupport.run(asServerUser + ["mktemp", "-d", "/tmp/\(prefix).XXXXXX"], directory: "/")
        guard made.status == 0 else { throw PostgresTestError("mktemp: \(made.error)") }
        return made.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

public struct PostgresTestError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
