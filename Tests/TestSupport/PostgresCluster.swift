import Foundation
import Synchronization

/// A real PostgreSQL cluster for tests: its directory, and its server while that runs.
///
/// Everything lies in one temporary directory that goes with this object. The server is the child of a small shell
/// that waits for the end of this process, however it ends, and then takes the server down.
public final class PostgresCluster: Sendable {
    /// What `initdb` is told.
    public struct Options: Sendable {
        public var checksums: Bool
        public var walSegmentMegabytes: Int?
        public var locale: String
        public var encoding: String
        /// Further arguments of `initdb`.
        public var arguments: [String]
        /// Lines for the end of `postgresql.conf`.
        public var configuration: [String]

        public init(
            checksums: Bool = true, walSegmentMegabytes: Int? = nil, locale: String = "C.UTF-8",
            encoding: String = "UTF8", arguments: [String] = [], configuration: [String] = []
        ) {
            self.checksums = checksums
            self.walSegmentMegabytes = walSegmentMegabytes
            self.locale = locale
            self.encoding = encoding
            self.arguments = arguments
            self.configuration = configuration
        }
    }

    public enum StopMode: Sendable { case smart, fast, immediate }

    public let installation: PostgresInstallation
    /// The temporary directory: sockets, the log, and whatever a test puts there. Owned by the server's user.
    public let directory: String
    public let dataDirectory: String
    private let running = Mutex<PostgresServer?>(nil)

    /// Runs `initdb`. The superuser is `postgres`, trusted on every connection.
    public convenience init(major: Int, _ options: Options = Options()) throws {
        try self.init(.require(major: major), options)
    }

    /// The same, by the `initdb` of one installation.
    public init(_ installation: PostgresInstallation, _ options: Options = Options()) throws {
        self.installation = installation
        directory = try PostgresInstallation.makeDirectory()
        dataDirectory = directory + "/data"
        var arguments = ["-D", dataDirectory, "-U", "postgres", "-A", "trust", "--no-sync"]
        arguments += ["--locale=\(options.locale)", "--encoding=\(options.encoding)"]
        if options.checksums { arguments.append("--data-checksums") }
        if !options.checksums, installation.major >= 18 { arguments.append("--no-data-checksums") }
        if let size = options.walSegmentMegabytes { arguments.append("--wal-segsize=\(size)") }
        do {
            try installation.check("initdb", arguments + options.arguments, directory: directory)
            // No test cuts the power: what the kernel holds survives even kill -9.
            try configure(["fsync = off", "shared_buffers = 32MB"] + options.configuration)
        } catch {
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
    }

    private init(installation: PostgresInstallation, dataDirectory: String) throws {
        self.installation = installation
        self.dataDirectory = dataDirectory
        directory = try PostgresInstallation.makeDirectory()
    }

    /// A cluster whose data directory exists, such as an export. It must belong to the server's user already; nothing
    /// in it is changed here, and it stays when this object goes. `installation` is for one that its version does not
    /// tell.
    public static func open(
        _ dataDirectory: String, by installation: PostgresInstallation? = nil
    ) throws -> PostgresCluster {
        let version = try String(contentsOfFile: dataDirectory + "/PG_VERSION", encoding: .utf8)
        guard let major = Int(version.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw PostgresTestError("\(dataDirectory)/PG_VERSION: not a version: \(version)")
        }
        return try PostgresCluster(
            installation: installation ?? .require(major: major), dataDirectory: dataDirectory)
    }

    deinit {
        _ = running.withLock { $0?.stop(.immediate, timeout: .seconds(30)) }
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Adds lines to `postgresql.conf`; they count from the next start.
    public func configure(_ lines: [String]) throws {
        let path = dataDirectory + "/postgresql.conf"
        guard let file = FileHandle(forWritingAtPath: path) else { throw PostgresTestError("cannot write \(path)") }
        try file.seekToEnd()
        try file.write(contentsOf: Data(lines.map { $0 + "\n" }.joined().utf8))
        try file.close()
    }

    // MARK: The server

    /// The port on 127.0.0.1 (and in the socket's name), while the server runs.
    public var port: Int? { running.withLock { $0?.port } }

    /// The postmaster, while the server runs.
    public var postmasterPID: Int32? { running.withLock { $0?.processID } }

    /// The connection string for the running server.
    public func connectionString(database: String = "postgres") throws -> String {
        "host=127.0.0.1 port=\(try runningPort()) user=postgres dbname=\(database)"
    }

    public var log: String {
        let bytes = FileManager.default.contents(atPath: directory + "/log") ?? Data()
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Starts the server on a free port and returns when it accepts connections.
    ///
    /// - Parameter arguments: Further arguments of `postgres`, such as `["-c", "wal_level=logical"]`.
    public func start(_ arguments: [String] = [], timeout: Duration = .seconds(120)) throws {
        try running.withLock { server in
            guard server == nil else { throw PostgresTestError("\(installation) is running already") }
            server = try PostgresServer(
                installation, dataDirectory: dataDirectory, directory: directory, arguments: arguments,
                timeout: timeout)
        }
    }

    /// Stops the server and waits for its end. `fast` and `smart` end in a checkpoint.
    public func stop(_ mode: StopMode = .fast, timeout: Duration = .seconds(300)) throws {
        try running.withLock { server in
            guard let stopping = server else { throw PostgresTestError("\(installation) is not running") }
            guard stopping.stop(mode, timeout: timeout) else {
                throw PostgresTestError("\(installation) did not stop within \(timeout)")
            }
            server = nil
        }
    }

    /// The server dies at once, all processes of it, as if by `kill -9`.
    public func crash() throws {
        try running.withLock { server in
            guard let crashing = server else { throw PostgresTestError("\(installation) is not running") }
            crashing.crash()
            server = nil
        }
    }

    // MARK: Programs

    /// Runs SQL in `psql`, each statement by itself, and returns rows as lines of columns parted by `|`.
    @discardableResult
    public func psql(_ sql: String, database: String = "postgres") throws -> String {
        let script = "\(directory)/\(UUID().uuidString).sql"
        try Data(sql.utf8).write(to: URL(fileURLWithPath: script))
        defer { try? FileManager.default.removeItem(atPath: script) }
        let output = try run("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-f", script], database: database)
        return output.hasSuffix("\n") ? String(output.dropLast()) : output
    }

    /// Runs one of PostgreSQL's programs against the running server, found through `PGHOST`, `PGPORT`, `PGUSER` and
    /// `PGDATABASE`. Returns what it printed; throws when it fails.
    @discardableResult
    public func run(_ program: String, _ arguments: [String] = [], database: String = "postgres") throws -> String {
        var environment: [String: String?] = [
            "PGHOST": directory, "PGUSER": "postgres", "PGDATABASE": database, "HOME": directory,
        ]
        if let port { environment["PGPORT"] = String(port) }
        return try installation.check(program, arguments, environment: environment, directory: directory)
    }

    private func runningPort() throws -> Int {
        guard let port else { throw PostgresTestError("\(installation) is not running") }
        return port
    }
}
