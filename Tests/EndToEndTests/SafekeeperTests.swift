import Foundation
import Glibc
import TestSupport
import Testing

/// The safekeeper beside real servers: what was acknowledged is never lost.
@Suite("The safekeeper", .serialized, .timeLimit(.minutes(30)))
struct SafekeeperTests {
    /// Clients that insert one number after the other, and write down each that was acknowledged.
    fileprivate final class Clients {
        private let processes: [Process]
        private let directory: String

        init(_ cluster: PostgresCluster, count: Int) throws {
            directory = cluster.directory
            let statements = (1...200_000).map { "insert into acknowledged values (:client, \($0)) returning number;" }
            let script = directory + "/inserts.sql"
            try Data(statements.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: script))
            let psql = try PostgresInstallation.require(major: 15).bin + "/psql"
            let connection = try cluster.connectionString()
            processes = try (0..<count).map { client in
                let process = Process()
                // Signals are blocked in tasks, and children inherit that.
                process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                process.arguments = [
                    "--default-signal", psql, "-XAtq", "-v", "client=\(client)", "-f", script, connection,
                ]
                let output = "\(cluster.directory)/acknowledged.\(client)"
                try Data().write(to: URL(fileURLWithPath: output))
                process.standardOutput = FileHandle(forWritingAtPath: output)
                process.standardError = FileHandle.nullDevice
                try process.run()
                return process
            }
        }

        /// Ends them; what each had seen acknowledged last.
        func end() throws -> [Int] {
            for process in processes { process.terminate() }
            for process in processes { process.waitUntilExit() }
            return try processes.indices.map { client in
                let text = try String(contentsOfFile: "\(directory)/acknowledged.\(client)", encoding: .utf8)
                // The last line may have been cut.
                return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().last.flatMap { Int($0) }
                    ?? 0
            }
        }
    }

    @Test("after a clean stop, storage alone brings every row back")
    func storageAlone() throws {
        let primary = try PostgresCluster.primary()
        try primary.psql("create table t (g int)")
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let backup = primary.directory + "/backup"
        try primary.run("pg_basebackup", ["-D", backup, "-X", "none", "-c", "fast"])
        try place.succeed("start", "--offload-interval", "1s")
        try primary.awaitSafekeeper(place.name)
        let storage = place.storage + "/wal_005"
        func unfinished() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: storage).filter { $0.hasSuffix(".partial.zst") }
        }
        try primary.psql("insert into t select generate_series(1, 1000)")
        try place.await("offloaded") { ($0 as? String ?? "0/0") != "0/0" }
        #expect(try unfinished().count == 1)
        try primary.psql("insert into t select generate_series(1, 100000)")
        // In the first page of its segment.
        try primary.psql("select pg_switch_wal()")
        try primary.psql("insert into t values (0)")
        try primary.crash()
        try place.succeed("stop")
        // Beginnings of segments that are whole by now are gone, and of the last one only the longest is left.
        #expect(try unfinished().count == 1)
        try FileManager.default.removeItem(atPath: primary.dataDirectory)
        try FileManager.default.removeItem(atPath: place.wal)
        let recovered = try place.recover(backup)
        #expect(try recovered.psql("select count(*), min(g) from t") == "101001|0")
    }

    private static let rounds = TestSelection.isSoak ? 200 : 12

    @Test("killed again and again under load, and then the primary's disk is lost: every acknowledged row is there")
    func killed() throws {
        let primary = try PostgresCluster.primary()
        try primary.psql("create table acknowledged (client int, number int)")
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let backup = primary.directory + "/backup"
        try primary.run("pg_basebackup", ["-D", backup, "-X", "none", "-c", "fast"])
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        let clients = try Clients(primary, count: 4)
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<Self.rounds {
            usleep(UInt32.random(in: 50_000...600_000, using: &generator))
            place.kill()
            try place.succeed("start")
        }
        usleep(500_000)
        let last = try clients.end()
        try primary.crash()
        place.kill()
        try FileManager.default.removeItem(atPath: primary.dataDirectory)

        let recovered = try place.recover(backup)
        for (client, number) in last.enumerated() {
            #expect(number > 0)
            let found = try recovered.psql(
                "select count(distinct number) from acknowledged where client = \(client) and number <= \(number)")
            #expect(found == String(number), "of client \(client)")
        }
        #expect(try recovered.psql("select count(*) > 0 from acknowledged") == "t")
    }

    @Test("what is on its disk is WAL to PostgreSQL, at any moment")
    func valid() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        try primary.run("pgbench", ["-i", "-q", "-s", "1", "postgres"])
        try primary.run("pgbench", ["-n", "-c", "4", "-t", "200", "postgres"])
        try primary.psql("select pg_switch_wal()")
        try primary.run("pgbench", ["-n", "-c", "4", "-t", "50", "postgres"])
        let end = try primary.psql("select pg_current_wal_flush_lsn()")
        try primary.await(
            "select flush_lsn >= '\(end)' from pg_stat_replication where application_name = '\(place.name)'", "t")
        place.kill()
        let segments = place.segments
        let result = try run(
            [
                try PostgresInstallation.require(major: 15).bin + "/pg_waldump", "-p", place.wal, "-q",
                try #require(segments.first), try #require(segments.last),
            ])
        #expect(result.status == 0 || result.error.contains("invalid record length"), "\(result.error)")
        // Equal to the server's own, byte for byte, where that has them yet.
        let own = primary.dataDirectory + "/pg_wal/"
        let common = segments.dropLast().filter { FileManager.default.fileExists(atPath: own + $0) }
        #expect(!common.isEmpty)
        for segment in common {
            #expect(try run(["cmp", own + segment, "\(place.wal)/\(segment)"]).status == 0, "\(segment)")
        }
    }

    @Test("a standby follows the safekeeper as it would follow the primary")
    func standby() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start")
        let copy = primary.directory + "/standby"
        try primary.run("pg_basebackup", ["-D", copy, "-X", "none", "-c", "fast"])
        let standby = try PostgresCluster.open(copy)
        try standby.configure([
            "primary_conninfo = 'host=127.0.0.1 port=\(place.port) user=any'", "primary_slot_name = 'standby'",
        ])
        try run(
            [
                try PostgresInstallation.require(major: 15).bin + "/pg_receivewal", "-h", "127.0.0.1", "-p",
                String(place.port), "-U", "any", "--create-slot", "--slot", "standby",
            ]
        ).check()
        try Data().write(to: URL(fileURLWithPath: copy + "/standby.signal"))
        _ = try run(["chown", "--reference=\(copy)", copy + "/standby.signal"])
        try standby.start()
        try primary.psql("create table t as select generate_series(1, 100000) g")
        try standby.await("select count(*) from t", "100000")
        // It goes on when the safekeeper was away.
        place.kill()
        try primary.psql("insert into t select generate_series(1, 1000)")
        try place.succeed("start")
        try standby.await("select count(*) from t", "101000")
        #expect(try place.status()["slots"] as? [String: String] != nil)
    }

    @Test("a promoted server is followed over its timeline's beginning; one that lacks acknowledged WAL is refused")
    func promotion() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start")
        let copy = primary.directory + "/standby"
        try primary.run("pg_basebackup", ["-D", copy, "-X", "stream", "-c", "fast"])
        let standby = try PostgresCluster.open(copy)
        try standby.configure(["primary_conninfo = '\(try SafekeeperPlace.source(primary))'"])
        try Data().write(to: URL(fileURLWithPath: copy + "/standby.signal"))
        _ = try run(["chown", "--reference=\(copy)", copy + "/standby.signal"])
        try standby.start()
        try primary.psql("create table t as select generate_series(1, 1000) g")
        try standby.await("select count(*) from t", "1000")
        try primary.stop(.fast)
        try standby.psql("select pg_promote()")
        try standby.await("select pg_is_in_recovery()", "f")
        try place.succeed("stop")
        try place.succeed("start", "--wal-source", try SafekeeperPlace.source(standby))
        try standby.psql("insert into t select generate_series(1, 1000)")
        let end = try standby.psql("select pg_current_wal_flush_lsn()")
        try standby.await(
            "select flush_lsn >= '\(end)' from pg_stat_replication where application_name = '\(place.name)'", "t")
        try place.await("timeline") { $0 as? Int == 2 }
        let history = try String(contentsOfFile: place.wal + "/00000002.history", encoding: .utf8)
        #expect(history == (try String(contentsOfFile: copy + "/pg_wal/00000002.history", encoding: .utf8)))
        let last = try #require(place.segments.last)
        #expect(last.hasPrefix("00000002"))
        try standby.psql("select pg_switch_wal()")
        try standby.psql("insert into t values (1)")
        try place.await("offloaded") { ($0 as? String ?? "0/0") != "0/0" }
        #expect(try run(["cmp", "\(copy)/pg_wal/\(last)", "\(place.wal)/\(last)"]).status == 0)
        #expect(FileManager.default.fileExists(atPath: place.storage + "/wal_005/00000002.history.zst"))

        // The old primary, and one that was promoted too early.
        try primary.start()
        try place.succeed("stop")
        try place.succeed("start", "--wal-source", try SafekeeperPlace.source(primary))
        try place.await("state") { $0 as? String == "refusing" }
        #expect((try place.status()["reason"] as? String)?.contains("timeline 1") == true)
        try place.succeed("stop")
        let other = try PostgresCluster(major: 15)
        try other.start()
        try place.succeed("start", "--wal-source", try SafekeeperPlace.source(other))
        try place.await("reason") { ($0 as? String)?.contains("another cluster") == true }
    }

    @Test("a primary restored from an older backup is refused: it lacks what was acknowledged")
    func restored() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start")
        try primary.psql("create table t (g int)")
        try primary.stop(.fast)
        let old = place.path + "/old"
        try run(["cp", "-a", primary.dataDirectory, old]).check()
        try primary.start()
        try place.succeed("stop")
        try place.succeed("start", "--wal-source", try SafekeeperPlace.source(primary))
        try primary.psql("insert into t select generate_series(1, 10000)")
        let end = try primary.psql("select pg_current_wal_flush_lsn()")
        try primary.await(
            "select flush_lsn >= '\(end)' from pg_stat_replication where application_name = '\(place.name)'", "t")
        try primary.stop(.immediate)
        try place.succeed("stop")
        let restored = try PostgresCluster.open(old)
        try restored.start()
        try place.succeed("start", "--wal-source", try SafekeeperPlace.source(restored))
        try place.await("reason") { ($0 as? String)?.contains("lost WAL that was acknowledged") == true }
        // With other WAL written beyond, it is not taken for ours either.
        try restored.psql("insert into t select generate_series(1, 20000)")
        try restored.psql("insert into t select generate_series(1, 20000)")
        try place.succeed("stop")
        try place.succeed("start", "--wal-source", try SafekeeperPlace.source(restored))
        try place.await("reason") { ($0 as? String)?.contains("other WAL") == true }
    }

    @Test("storage that fails holds no commit up, and nothing is lost: offloading catches up")
    func storageFails() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try FileManager.default.removeItem(atPath: place.storage)
        try Data().write(to: URL(fileURLWithPath: place.storage))
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        try primary.run("pgbench", ["-i", "-q", "-s", "1", "postgres"])
        try place.await("offloadError") { $0 is String }
        try primary.run("pgbench", ["-n", "-c", "4", "-t", "200", "postgres"])
        let kept = place.segments
        #expect(kept.count > 8)
        try FileManager.default.removeItem(atPath: place.storage)
        try FileManager.default.createDirectory(atPath: place.storage, withIntermediateDirectories: true)
        let last = try #require(kept.dropLast().last)
        let archived = "\(place.storage)/wal_005/\(last).zst"
        let deadline = ContinuousClock.now + .seconds(120)
        while !FileManager.default.fileExists(atPath: archived), ContinuousClock.now < deadline { usleep(100_000) }
        for segment in kept.dropLast() {
            #expect(FileManager.default.fileExists(atPath: "\(place.storage)/wal_005/\(segment).zst"), "\(segment)")
        }
        try place.await("offloadError") { $0 == nil || $0 is NSNull }
    }

    @Test("a full disk stops acknowledging, and goes on by itself when there is space")
    func fullDisk() throws {
        let mount = NSTemporaryDirectory() + "zenith-full-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        defer {
            _ = try? run(["umount", "-l", mount])
            try? FileManager.default.removeItem(atPath: mount)
        }
        guard try run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount]).status == 0 else {
            return print("skipped: no tmpfs can be mounted here")
        }
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace(directory: mount + "/sk")
        try place.initialize(primary)
        // Nothing goes to storage, so nothing may be removed.
        try FileManager.default.removeItem(atPath: place.storage)
        try Data().write(to: URL(fileURLWithPath: place.storage))
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        let load = try Clients.bulk(primary)
        try place.await("state") { $0 as? String == "disk full" }
        #expect(load.isRunning)
        try run(["mount", "-o", "remount,size=64m", mount]).check()
        load.waitUntilExit()
        #expect(load.terminationStatus == 0)
        try place.await("state") { $0 as? String == "streaming" }
        place.kill()
    }
}

extension SafekeeperTests.Clients {
    /// A transaction of some 20 MB, which commits when the safekeeper has it.
    static func bulk(_ cluster: PostgresCluster) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try PostgresInstallation.require(major: 15).bin + "/psql")
        process.arguments = [
            "-Xq", "-c", "create table bulk as select repeat('x', 1000) from generate_series(1, 20000)",
            try cluster.connectionString(),
        ]
        try process.run()
        return process
    }
}

extension ShellResult {
    func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try #require(status == 0, "\(error)", sourceLocation: sourceLocation)
    }
}
