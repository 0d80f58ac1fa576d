import Foundation
import Glibc
import TestSupport
import Testing

/// Clients of `pgbench` that insert one number after the other: its log has a line for each commit that they saw.
final class AcknowledgedLoad {
    /// What the clients saw.
    struct Outcome {
        let run: Int
        /// How many commits each client saw: of the numbers from 1 on.
        let counts: [Int]
        /// The longest that one commit took.
        let longest: Duration
        /// What `pgbench` said when it ended.
        let words: String

        var total: Int { counts.reduce(0, +) }

        /// Every acknowledged row is there.
        func expect(in cluster: PostgresCluster, sourceLocation: SourceLocation = #_sourceLocation) throws {
            #expect(!counts.contains(0), "\(counts): \(words)", sourceLocation: sourceLocation)
            for (client, count) in counts.enumerated() {
                let found = try cluster.psql(
                    "select count(distinct number) from acknowledged "
                        + "where run = \(run) and client = \(client) and number <= \(count)")
                #expect(found == String(count), "of client \(client)", sourceLocation: sourceLocation)
            }
        }
    }

    private let cluster: PostgresCluster
    private let process = Process()
    private let path: String
    private let run: Int
    private let clients: Int

    static func prepare(_ cluster: PostgresCluster) throws {
        try cluster.psql("create table acknowledged (run int, client int, number int, filler text)")
    }

    /// Starts them. They go on until `end`, or until the server goes.
    ///
    /// - Parameter run: Tells several loads of one cluster apart.
    init(_ cluster: PostgresCluster, run: Int = 1, clients: Int = 4) throws {
        self.cluster = cluster
        path = "\(cluster.directory)/load\(run)"
        self.run = run
        self.clients = clients
        let script = path + ".sql"
        let statements = [
            "\\set n :n + 1", "insert into acknowledged values (:run, :client_id, :n, repeat('x', 300));",
        ]
        try Data((statements.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: script))
        try Data().write(to: URL(fileURLWithPath: path + ".out"))
        let output = FileHandle(forWritingAtPath: path + ".out")
        // Signals are blocked in tasks, and children inherit that.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "--default-signal", "\(cluster.installation.bin)/pgbench", "-n", "-c", String(clients), "-T",
            "1000000", "-f", script, "-D", "n=0", "-D", "run=\(run)", "-l", "--log-prefix", path + ".log",
            try cluster.connectionString(),
        ]
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PG") }
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    deinit {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    /// Cuts their connections: `pgbench` writes its log to the end then.
    func end() throws -> Outcome {
        try cluster.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgbench'")
        return try finish()
    }

    /// Waits for their end, after the server's.
    func finish() throws -> Outcome {
        process.waitUntilExit()
        let directory = (path as NSString).deletingLastPathComponent
        let prefix = (path as NSString).lastPathComponent + ".log."
        var counts = [Int](repeating: 0, count: clients)
        var longest = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) where name.hasPrefix(prefix) {
            let text = try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
            // client_id transaction_no time script_no time_epoch time_us
            for line in text.split(separator: "\n") {
                let fields = line.split(separator: " ").map { Int($0) ?? 0 }
                try #require(fields.count >= 6, "\(line)")
                counts[fields[0]] += 1
                longest = max(longest, fields[2])
            }
        }
        let words = (try? String(contentsOfFile: path + ".out", encoding: .utf8)) ?? ""
        return Outcome(run: run, counts: counts, longest: .microseconds(longest), words: words)
    }

    /// Waits until every client has committed more.
    func awaitCommits(sourceLocation: SourceLocation = #_sourceLocation) throws {
        func least(_ expression: String) -> String {
            "select count(*) = \(clients) and min(count) > \(expression) from (select count(*) from acknowledged "
                + "where run = \(run) group by client) as clients"
        }
        try cluster.await(least("0"), "t", sourceLocation: sourceLocation)
        let most = try cluster.psql("select max(number) from acknowledged where run = \(run)")
        try cluster.await(least(most), "t", sourceLocation: sourceLocation)
    }
}
