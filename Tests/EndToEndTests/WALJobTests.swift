import Foundation
import Glibc
import TestSupport
import Testing

/// PostgreSQL archives by `wal-push` and recovers by `wal-fetch`.
@Suite("PostgreSQL's archive", .serialized, .timeLimit(.minutes(20)))
struct WALJobTests {
    private func archiving(_ place: WALWorkplace) throws -> PostgresCluster {
        let cluster = try PostgresCluster(
            major: 15,
            .init(
                walSegmentMegabytes: 1,
                configuration: [
                    "archive_mode = on", "archive_command = '\(place.program) wal-push %p'", "max_wal_size = 200MB",
                    "min_wal_size = 2MB",
                ]))
        try cluster.start()
        return cluster
    }

    /// Ends the segment, and waits until PostgreSQL has archived it.
    private func archiveAll(_ cluster: PostgresCluster) throws {
        let segment = try cluster.psql("select pg_walfile_name(pg_switch_wal())")
        let deadline = ContinuousClock.now + .seconds(120)
        while try cluster.psql("select coalesce(last_archived_wal, '') >= '\(segment)' from pg_stat_archiver") != "t" {
            try #require(ContinuousClock.now < deadline, "\(cluster.log.suffix(2000))")
            usleep(100_000)
        }
    }

    /// A server answers before its recovery has come to its end.
    private func awaitPromotion(_ cluster: PostgresCluster) throws {
        func isRecovering() throws -> Bool {
            do { return try cluster.psql("select pg_is_in_recovery()") != "f" } catch {
                throw PostgresTestError("\(error)\n\(cluster.log.suffix(4000))")
            }
        }
        let deadline = ContinuousClock.now + .seconds(120)
        while try isRecovering() {
            try #require(ContinuousClock.now < deadline, "\(cluster.log.suffix(2000))")
            usleep(100_000)
        }
    }

    private func recover(_ place: WALWorkplace) throws {
        let cluster = try archiving(place)
        _ = try cluster.run("pgbench", ["-i", "-q", "-s", "2", "postgres"])
        // A base backup waits for the archive without an end: whether that works is seen here.
        try archiveAll(cluster)
        let backup = cluster.directory + "/backup"
        _ = try cluster.run("pg_basebackup", ["-D", backup, "-X", "none", "-c", "fast"])
        _ = try cluster.run("pgbench", ["-n", "-c", "4", "-t", "2000", "postgres"])
        _ = try cluster.psql("create table last as select generate_series(1, 1000) g")
        try archiveAll(cluster)
        let dump = try SourceCluster.dumpAll(cluster)
        try cluster.stop(.immediate)

        let shown = try place.safekeeper("wal-show")
        #expect(shown.output.contains(" 0 missing"), "\(shown.output)\(shown.error)")
        let restored = try PostgresCluster.open(backup)
        try restored.configure(["restore_command = '\(place.program) wal-fetch --stop-recovery %f %p'"])
        _ = FileManager.default.createFile(atPath: backup + "/recovery.signal", contents: nil)
        try restored.start(timeout: .seconds(300))
        try awaitPromotion(restored)
        #expect(try SourceCluster.dumpAll(restored) == dump)
        try archiveAll(restored)
        let after = try place.safekeeper("wal-show")
        #expect(after.output.contains("\n  2  00000002"), "\(after.output)")
        try place.succeed("wal-fetch", "00000002.history", "history")
        #expect(try String(contentsOfFile: place.work.path + "/history", encoding: .utf8).hasPrefix("1\t"))
        #expect(!FileManager.default.fileExists(atPath: backup + "/pg_wal/RECOVERYXLOG.zenith-fetch"))
        try restored.stop()
    }

    @Test("archived, and recovered to its end, on a directory") func directory() throws { try recover(WALWorkplace()) }

    @Test("archived, and recovered to its end, on S3 with lz4")
    func s3() async throws {
        let server = try await S3TestServer.seaweed
        try recover(
            WALWorkplace(
                location: "s3://\(server.bucket)/wal-\(UUID().uuidString)",
                environment: server.environment.merging(["ZENITH_WAL_COMPRESSION": "lz4"]) { $1 }))
    }

    @Test("another content under a segment's name is refused: PostgreSQL keeps the segment and says so")
    func conflict() throws {
        let place = try WALWorkplace()
        let cluster = try archiving(place)
        try archiveAll(cluster)
        _ = try cluster.psql("create table t as select 1 a")
        let name = try cluster.psql("select pg_walfile_name(pg_current_wal_lsn())")
        // As if another server had gone on from the same backup.
        var bytes = try #require(
            FileManager.default.contents(atPath: "\(cluster.dataDirectory)/pg_wal/\(name)").map(Array.init))
        bytes[bytes.count - 1] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: place.work.path + "/" + name))
        chmod(place.work.path + "/" + name, 0o644)
        // By the server's user, whose files the server can read.
        try cluster.installation.check(place.program, ["wal-push", place.work.path + "/" + name])
        _ = try cluster.psql("select pg_switch_wal()")
        let deadline = ContinuousClock.now + .seconds(120)
        while !cluster.log.contains("differs from wal_005/\(name).zst") {
            try #require(ContinuousClock.now < deadline, "\(cluster.log.suffix(2000))")
            usleep(100_000)
        }
        let ready = "\(cluster.dataDirectory)/pg_wal/archive_status/\(name).ready"
        #expect(FileManager.default.fileExists(atPath: ready))
        try FileManager.default.removeItem(atPath: "\(place.work.storage)/wal_005/\(name).zst")
        try archiveAll(cluster)
        #expect(try cluster.psql("select failed_count > 0 from pg_stat_archiver") == "t")
        try cluster.stop()
    }

    @Test("a storage that cannot be reached stops recovery, instead of ending it early")
    func unreachable() throws {
        let place = try WALWorkplace()
        let cluster = try archiving(place)
        // A base backup waits for the archive without an end: whether that works is seen here.
        try archiveAll(cluster)
        let backup = cluster.directory + "/backup"
        _ = try cluster.run("pg_basebackup", ["-D", backup, "-X", "none", "-c", "fast"])
        try archiveAll(cluster)
        try cluster.stop()
        let restored = try PostgresCluster.open(backup)
        let nowhere = try WALWorkplace.unreachable()
        try restored.configure(["restore_command = '\(nowhere.program) wal-fetch --stop-recovery %f %p'"])
        _ = FileManager.default.createFile(atPath: backup + "/recovery.signal", contents: nil)
        #expect(throws: PostgresTestError.self) { try restored.start() }
        #expect(restored.log.contains("could not restore file"), "\(restored.log)")
        try restored.configure(["restore_command = '\(place.program) wal-fetch --stop-recovery %f %p'"])
        try restored.start()
        try awaitPromotion(restored)
        try restored.stop()
    }
}
