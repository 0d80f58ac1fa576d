import Foundation
import Glibc
import TestSupport
import Testing

/// A safekeeper in a directory of its own, run as its users run it.
final class SafekeeperPlace: Sendable {
    let name: String
    /// Holds all of it.
    let path: String
    let directory: String
    let storage: String
    let port: Int
    let httpPort: Int
    /// What its programs find in their environment.
    let environment: [String: String]

    /// - Parameters:
    ///   - directory: Where it keeps WAL; nil: below `path`.
    ///   - storage: Where it brings WAL; nil: a directory below `path`.
    init(
        _ name: String = "sk1", directory: String? = nil, storage: String? = nil, environment: [String: String] = [:]
    ) throws {
        self.name = name
        self.environment = environment
        path = NSTemporaryDirectory() + "zenith-sk-\(UUID().uuidString)"
        self.directory = directory ?? path + "/sk"
        self.storage = storage ?? path + "/storage"
        let ports = try TestServer.freePorts(2)
        (port, httpPort) = (ports[0], ports[1])
        try FileManager.default.createDirectory(atPath: path + "/storage", withIntermediateDirectories: true)
        // PostgreSQL's user reads WAL in here.
        chmod(path, 0o755)
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: path)
    }

    var wal: String { directory + "/wal" }

    @discardableResult
    func safekeeper(_ arguments: [String]) throws -> ShellResult {
        var environment: [String: String?] = [:]
        let foreign = ["AWS_", "S3_", "WALG_", "WALE_", "ZENITH_", "SNAPSHOT_", "STORAGE_", "WAL_"]
        for name in ProcessInfo.processInfo.environment.keys where foreign.contains(where: name.hasPrefix) {
            environment[name] = .some(nil)
        }
        for (name, value) in self.environment { environment[name] = value }
        return try run(
            [Workplace.programs + "/safekeeper"] + arguments + ["-D", directory], environment: environment,
            directory: path)
    }

    func succeed(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        let result = try safekeeper(arguments)
        try #require(result.status == 0, "safekeeper \(arguments): \(result.error)", sourceLocation: sourceLocation)
    }

    func initialize(_ primary: PostgresCluster, source: String? = nil) throws {
        try succeed(
            "init", "--name", name, "--wal-source", try source ?? Self.source(primary), "--storage-dest", storage,
            "--listen-pg", "127.0.0.1:\(port)", "--listen-http", "127.0.0.1:\(httpPort)")
    }

    static func source(_ primary: PostgresCluster) throws -> String {
        "host=127.0.0.1 port=\(try #require(primary.port)) user=postgres"
    }

    /// The running daemon's; nil where none runs.
    var processID: Int32? {
        guard let text = try? String(contentsOfFile: directory + "/safekeeper.pid", encoding: .utf8),
            let pid = Int32(text.trimmingCharacters(in: .newlines)),
            let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe"),
            program == Workplace.programs + "/safekeeper"
        else { return nil }
        return pid
    }

    /// As a crash of the process ends it. Nothing where none runs.
    func kill() {
        guard let pid = processID else { return }
        Glibc.kill(pid, SIGKILL)
        while Glibc.kill(pid, 0) == 0, !isZombie(pid) { usleep(1000) }
    }

    private func isZombie(_ pid: Int32) -> Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return true }
        return text[end...].dropFirst(2).hasPrefix("Z")
    }

    /// What `status --json` says of the daemon.
    func status() throws -> [String: Any] {
        let result = try safekeeper(["status", "--json"])
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result.error)")
        return report["safekeeper"] as? [String: Any] ?? [:]
    }

    /// An LSN of the status, as a number; 0 where there is none.
    func position(_ key: String) throws -> UInt64 { Self.number(try status()[key] as? String ?? "0/0") }

    /// An LSN in PostgreSQL's notation, as a number.
    static func number(_ lsn: String) -> UInt64 {
        lsn.split(separator: "/").reduce(0) { $0 << 32 | (UInt64($1, radix: 16) ?? 0) }
    }

    /// Waits until it has on disk what the primary has now.
    func awaitFlushed(_ primary: PostgresCluster, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let end = try primary.psql("select pg_current_wal_flush_lsn()")
        try primary.await(
            "select flush_lsn >= '\(end)' from pg_stat_replication where application_name = '\(name)'", "t",
            sourceLocation: sourceLocation)
    }

    /// Waits until storage has what the primary has now.
    func awaitOffloaded(_ primary: PostgresCluster, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let end = Self.number(try primary.psql("select pg_current_wal_flush_lsn()"))
        try `await`(
            "offloaded", { Self.number($0 as? String ?? "0/0") >= end }, sourceLocation: sourceLocation)
    }

    /// Waits until the status has this value.
    func await(
        _ key: String, _ isRight: (Any?) -> Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while true {
            let status = try status()
            if isRight(status[key]) { return }
            try #require(
                ContinuousClock.now < deadline, "\(status)\n\(log.suffix(3000))", sourceLocation: sourceLocation)
            usleep(100_000)
        }
    }

    /// Waits until something is so.
    ///
    /// - Parameter state: Told beside the segments and the log where it does not come to be so.
    func eventually(
        _ state: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation,
        _ isTrue: () throws -> Bool
    ) throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try !isTrue() {
            try #require(
                ContinuousClock.now < deadline, "\(state())\n\(segments)\n\(log.suffix(2000))",
                sourceLocation: sourceLocation)
            usleep(100_000)
        }
    }

    var log: String { (try? String(contentsOfFile: directory + "/safekeeper.log", encoding: .utf8)) ?? "" }

    /// Names of segments that are here, in order.
    var segments: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: wal)) ?? []).filter { $0.utf8.count == 24 }.sorted()
    }
}

extension PostgresCluster {
    /// A primary that keeps no more WAL than it must.
    static func primary(_ lines: [String] = [], major: Int = 15) throws -> PostgresCluster {
        let cluster = try PostgresCluster(
            major: major,
            .init(
                walSegmentMegabytes: 1,
                configuration: ["max_wal_size = 64MB", "min_wal_size = 2MB", "wal_keep_size = 0"] + lines))
        try cluster.start()
        return cluster
    }

    /// From now on commits wait for a safekeeper of this name, or as a list says; for none where it is empty.
    func awaitSafekeeper(_ names: String) throws {
        try psql("alter system set synchronous_standby_names = '\(names)'")
        try psql("select pg_reload_conf()")
    }

    /// Waits until a query gives this.
    func await(_ query: String, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        var found = ""
        while true {
            do { found = try psql(query) } catch { found = "\(error)" }
            if found == expected { return }
            try #require(
                ContinuousClock.now < deadline, "\(query): \(found)\n\(log.suffix(3000))",
                sourceLocation: sourceLocation)
            usleep(100_000)
        }
    }
}
