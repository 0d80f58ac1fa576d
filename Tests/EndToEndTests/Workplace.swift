import Foundation
import Glibc
import TestSupport
import Testing

/// A directory for one test, and the programs that work in it.
final class Workplace: Sendable {
    let path: String
    /// For every program that is run here; a nil value removes a variable.
    let environment: [String: String?]

    init(environment: [String: String?] = [:]) throws {
        path = NSTemporaryDirectory() + "zenith-e2e-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // PostgreSQL's user has to reach exports in here.
        chmod(path, 0o755)
        var variables: [String: String?] = [:]
        let foreign = ["AWS_", "S3_", "WALG_", "WALE_", "ZENITH_", "SNAPSHOT_", "STORAGE_", "WAL_"]
        for name in ProcessInfo.processInfo.environment.keys
        where name != "ZENITH_TEST_CACHE" && foreign.contains(where: name.hasPrefix) {
            variables[name] = .some(nil)
        }
        variables["ZENITH_DIR"] = path + "/dir"
        // Several run at the same time.
        variables["ZENITH_LISTEN_HTTP"] = "127.0.0.1:0"
        self.environment = variables.merging(environment) { _, new in new }
    }

    deinit {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            if FileManager.default.fileExists(atPath: "\(path)/\(name)/pageserver.pid") {
                _ = try? zenith("stop", "--mode", "immediate", "-D", "\(path)/\(name)")
            }
        }
        try? FileManager.default.removeItem(atPath: path)
    }

    var directory: String { path + "/dir" }
    var storage: String { path + "/storage" }

    /// Where the programs under test are: beside the tests.
    static let programs: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (own as NSString).deletingLastPathComponent
    }()

    @discardableResult
    func zenith(_ arguments: String..., environment extra: [String: String?] = [:]) throws -> ShellResult {
        try zenith(arguments, environment: extra)
    }

    @discardableResult
    func zenith(_ arguments: [String], environment extra: [String: String?] = [:]) throws -> ShellResult {
        try run(
            [Self.programs + "/zenith"] + arguments, environment: environment.merging(extra) { _, new in new },
            directory: path)
    }

    /// Runs a command that must succeed; its output, without the last line break.
    @discardableResult
    func succeed(
        _ arguments: String..., environment extra: [String: String?] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let result = try zenith(arguments, environment: extra)
        try #require(result.status == 0, "zenith \(arguments): \(result.error)", sourceLocation: sourceLocation)
        return result.output.trimmingCharacters(in: .newlines)
    }

    /// Runs a command that must fail with this code, in one line first that holds these words.
    func fail(
        _ arguments: [String], _ status: Int32, _ words: String..., environment extra: [String: String?] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let result = try zenith(arguments, environment: extra)
        #expect(result.status == status, "zenith \(arguments): \(result.error)", sourceLocation: sourceLocation)
        let first = result.error.split(separator: "\n").first.map(String.init) ?? ""
        #expect(first.hasPrefix("zenith: "), "\(result.error)", sourceLocation: sourceLocation)
        for word in words {
            #expect(result.error.contains(word), "\(word) in: \(result.error)", sourceLocation: sourceLocation)
        }
    }

    /// Starts a command and kills it after some milliseconds, as a crash of the machine would end it. True when it was
    /// still running.
    func kill(_ arguments: [String], afterMilliseconds delay: Int) throws -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.programs + "/zenith")
        process.arguments = arguments
        var variables = ProcessInfo.processInfo.environment
        for (name, value) in environment { variables[name] = value }
        process.environment = variables
        process.currentDirectoryURL = URL(fileURLWithPath: path)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        usleep(UInt32(delay) * 1000)
        let wasRunning = process.isRunning
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return wasRunning
    }

    /// Exports to a new directory below this one.
    func export(to name: String, _ more: String...) throws -> String {
        let target = path + "/" + name
        let result = try zenith(["export", "--snapshot-path", target, "--snapshot-format", "pgdata"] + more)
        try #require(result.status == 0, "\(result.error)")
        return target
    }

    /// The one snapshot's directory in a file:// storage.
    /// The source cluster's snapshot in storage, and nothing of it on the local disk.
    static func stored() throws -> Workplace {
        let work = try Workplace()
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format", "pgdata")
        try work.succeed("snapshot", "create")
        try FileManager.default.removeItem(atPath: work.directory + "/timelines")
        return work
    }

    func storedSnapshot() throws -> String {
        let timelines = storage + "/timelines"
        let timeline = try #require(try FileManager.default.contentsOfDirectory(atPath: timelines).first)
        let snapshots = "\(timelines)/\(timeline)/snapshots"
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: snapshots).first)
        return snapshots + "/" + name
    }

    func packs() throws -> [String] {
        let snapshot = try storedSnapshot()
        return try FileManager.default.contentsOfDirectory(atPath: snapshot).filter { $0.hasPrefix("pack-") }.sorted()
            .map { snapshot + "/" + $0 }
    }
}

/// A cluster with some of everything, stopped; made once for all tests, and only read by them.
enum SourceCluster {
    static let shared = Result { try make() }

    struct Source: Sendable {
        let cluster: PostgresCluster
        var path: String { cluster.dataDirectory }
        /// What `pg_dumpall` says of it.
        let dump: String
    }

    static func get() throws -> Source { try shared.get() }

    private static func make() throws -> Source {
        let cluster = try PostgresCluster(
            major: 15, .init(configuration: ["max_prepared_transactions = 5", "max_wal_size = 1GB"]))
        try cluster.start()
        _ = try cluster.run("pgbench", ["-i", "-q", "-s", "5", "postgres"])
        _ = try cluster.psql("create database \"données\"")
        _ = try cluster.psql(
            "create table noise as select g id, sha512(g::text::bytea) || sha512((g * 7)::text::bytea) b "
                + "from generate_series(1, 60000) g; create index on noise using hash (id); "
                + "create unlogged table unlogged as select 1 a; select lo_from_bytea(0, 'large object')",
            database: "données")
        let dump = try dumpAll(cluster)
        try cluster.stop()
        return Source(cluster: cluster, dump: dump)
    }

    static func dumpAll(_ cluster: PostgresCluster) throws -> String {
        // Newer minor versions put a random key around the dump.
        try cluster.run("pg_dumpall", []).split(separator: "\n")
            .filter { !$0.hasPrefix("\\restrict") && !$0.hasPrefix("\\unrestrict") }.joined(separator: "\n")
    }
}

/// Starts PostgreSQL on an export and compares all that it says with the source; the judge of everything here.
func expectEqualCluster(_ path: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let source = try SourceCluster.get()
    let cluster = try PostgresCluster.open(path)
    _ = try cluster.installation.check("pg_checksums", ["--check", "-D", path], directory: cluster.directory)
    try cluster.start()
    let dump = try SourceCluster.dumpAll(cluster)
    #expect(dump == source.dump, sourceLocation: sourceLocation)
    try cluster.stop()
}
