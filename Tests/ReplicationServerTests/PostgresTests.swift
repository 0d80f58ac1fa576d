import Foundation
import PostgresFormat
import ReplicationServer
import Synchronization
import TestSupport
import Testing

@Suite("PostgreSQL's own consumers", .timeLimit(.minutes(10)))
struct PostgresTests {
    /// A server that keeps its WAL, and a source over its `pg_wal`, which the test moves to where the server is.
    static func primary() throws -> (PostgresCluster, DirectorySource) {
        let primary = try PostgresCluster(
            major: 15,
            .init(
                walSegmentMegabytes: 1,
                configuration: ["wal_keep_size = 1GB", "wal_recycle = off", "wal_init_zero = off"]))
        try primary.start()
        try primary.psql("CREATE TABLE t (i int, filler text)")
        let values = try primary.psql(
            """
            SELECT system_identifier, current_setting('server_version'), current_setting('server_version_num')
            FROM pg_control_system()
            """
        ).split(separator: "|").map(String.init)
        let identity = WALIdentity(
            systemIdentifier: UInt64(values[0])!, segmentSize: 1 << 20, serverVersion: values[1],
            serverVersionNumber: Int(values[2])!)
        let source = DirectorySource(
            primary.dataDirectory + "/pg_wal", identity: identity,
            position: WALPosition(timeline: 1, flushedLSN: try flushed(primary)))
        return (primary, source)
    }

    static func flushed(_ cluster: PostgresCluster) throws -> LSN {
        LSN(try cluster.psql("SELECT pg_current_wal_flush_lsn()"))!
    }

    static func insert(_ count: Int, into cluster: PostgresCluster) throws {
        try cluster.psql("INSERT INTO t SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, \(count)) i")
    }

    /// In a thread that may block.
    static func wait(for condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try !condition() {
            guard ContinuousClock.now < deadline else { throw PostgresTestError("it did not happen") }
            usleep(20_000)
        }
    }

    @Test("pg_receivewal, with a slot, takes every byte")
    func receivewal() async throws {
        let (primary, source) = try await blocking { try Self.primary() }
        try await serving(source) { server, port in
            try await blocking {
                let connection = ["-d", "host=127.0.0.1 port=\(port) user=backup"]
                try primary.run("pg_receivewal", connection + ["--create-slot", "--slot", "taker"])
                let again = try primary.installation.run(
                    "pg_receivewal", connection + ["--create-slot", "--slot", "taker"])
                #expect(again.status != 0 && again.error.contains("already exists"))
                try primary.run("pg_receivewal", connection + ["--drop-slot", "--slot", "taker"])
                let client = try RawClient.ready(port: port)
                _ = try client.ask("CREATE_REPLICATION_SLOT taker PHYSICAL (RESERVE_WAL)")
                let start = try #require(source.state.withLock { $0.slots["taker"]?.restartLSN })

                try Self.insert(20_000, into: primary)
                let end = try Self.flushed(primary)
                try Self.insert(2_000, into: primary)
                source.advance(to: try Self.flushed(primary))
                let received = primary.directory + "/received"
                try primary.run("/bin/mkdir", [received])
                try primary.run(
                    "pg_receivewal",
                    connection + [
                        "-D", received, "--slot", "taker", "--synchronous", "--no-loop", "--endpos", "\(end)",
                    ])
                var segment = WALSegment(timeline: 1, holding: start, size: 1 << 20)
                var count = 0
                while segment.startLSN < end {
                    let isWhole = segment.endLSN <= end
                    var mine = FileManager.default.contents(atPath: "\(received)/\(segment.fileName)")
                    if mine == nil, !isWhole {
                        mine = FileManager.default.contents(atPath: "\(received)/\(segment.fileName).partial")
                    }
                    let theirs = try Data(contentsOf: URL(fileURLWithPath: "\(source.directory)/\(segment.fileName)"))
                    let length = Int(min(segment.endLSN, end).rawValue - segment.startLSN.rawValue)
                    #expect(mine?.prefix(length) == theirs.prefix(length), "\(segment)")
                    segment = segment.next
                    count += 1
                }
                #expect(count > 5)
                // It says how far it is when nothing more comes, which may be never before the end.
                #expect(source.state.withLock { $0.confirmed["taker"] } != nil)
                try primary.run("pg_receivewal", connection + ["--drop-slot", "--slot", "taker"])
                #expect(source.state.withLock { $0.slots.isEmpty })
            }
            try await eventually { server.consumers().isEmpty }
        }
    }

    @Test("a standby replays everything, and follows a promotion")
    func standby() async throws {
        let (primary, source) = try await blocking { try Self.primary() }
        try await serving(source) { server, port in
            try await blocking {
                try Self.insert(5_000, into: primary)
                let data = primary.directory + "/standby"
                // Without WAL: all of it comes from our server.
                try primary.run("pg_basebackup", ["-D", data, "-X", "none", "--checkpoint=fast", "--no-sync"])
                try primary.installation.check("/usr/bin/touch", [data + "/standby.signal"])
                let standby = try PostgresCluster.open(data)
                try standby.configure(["primary_conninfo = 'host=127.0.0.1 port=\(port) user=standby'"])
                source.advance(to: try Self.flushed(primary))
                try standby.start()
                #expect(server.consumers().contains { $0.user == "standby" && $0.applicationName == "walreceiver" })

                func agree() throws {
                    let target = try Self.flushed(primary)
                    source.advance(to: target)
                    try Self.wait { try standby.psql("SELECT pg_last_wal_replay_lsn() >= '\(target)'") == "t" }
                    let content = "SELECT count(*), md5(string_agg(i || filler, ',' ORDER BY i)) FROM t"
                    #expect(try standby.psql(content) == primary.psql(content))
                }
                for _ in 0..<3 {
                    try Self.insert(5_000, into: primary)
                    try agree()
                }
                try Self.wait { server.consumers().contains { $0.appliedLSN == source.position().flushedLSN } }

                // The primary goes on as timeline 2, as a standby that was promoted would.
                try primary.stop()
                try primary.installation.check("/usr/bin/touch", [primary.dataDirectory + "/standby.signal"])
                try primary.start()
                try primary.psql("SELECT pg_promote()")
                try Self.insert(3_000, into: primary)
                let history = try Data(contentsOf: URL(fileURLWithPath: source.directory + "/00000002.history"))
                let fields = String(decoding: history, as: UTF8.self).split(whereSeparator: \.isWhitespace)
                source.switchTimeline(
                    to: 2, at: LSN(String(fields[1]))!, flushedLSN: try Self.flushed(primary), history: Array(history))
                try agree()
                #expect(try standby.psql("SELECT received_tli FROM pg_stat_wal_receiver") == "2")
                try Self.insert(3_000, into: primary)
                try agree()
                try standby.stop()
            }
            try await eventually { server.consumers().isEmpty }
        }
    }

    @Test("psql and pg_receivewal of every version", arguments: PostgresInstallation.majors)
    func versions(major: Int) async throws {
        let installation = try PostgresInstallation.require(major: major)
        let source = try DirectorySource.random(segments: 3, major: major)
        defer { source.remove() }
        try await serving(source) { server, port in
            let connection = "host=127.0.0.1 port=\(port) user=backup"
            let newest = major >= 18 ? " max_protocol_version=latest" : ""
            let identity = try await blocking {
                try installation.check(
                    "psql", [connection + " replication=true" + newest, "-wXAtc", "IDENTIFY_SYSTEM"])
            }
            #expect(identity == AuthenticationTests.identity)
            _ = try await blocking { try installation.check("/bin/mkdir", [source.directory + "/received"]) }
            async let taking: String = blocking {
                try installation.check(
                    "pg_receivewal",
                    ["-d", connection, "-D", source.directory + "/received", "-n", "--endpos", "0/2FFFFF"])
            }
            // A client without a slot begins at what is durable when it comes.
            try await eventually { server.consumers().contains { $0.sentLSN != nil } }
            source.advance(to: LSN(rawValue: 0x400000))
            _ = try await taking
            for name in ["000000010000000000000001", "000000010000000000000002"] {
                let received = FileManager.default.contents(atPath: "\(source.directory)/received/\(name)")
                #expect(received == FileManager.default.contents(atPath: "\(source.directory)/\(name)"), "\(name)")
            }
        }
    }
}
