import Foundation
import Glibc
import TestSupport
import Testing

/// `zenith` with a `wal_source`: one installation, two daemons.
@Suite("a safekeeper beside the pageserver", .serialized, .timeLimit(.minutes(10)))
struct BesideTests {
    /// An installation, and a primary that its `wal_source` finds by a service file wherever it runs.
    private struct Place {
        let workplace: Workplace
        let service: String
        let port: Int

        init() throws {
            let directory = NSTemporaryDirectory() + "zenith-service-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            service = directory + "/pg_service.conf"
            workplace = try Workplace(environment: ["PGSERVICEFILE": service])
            port = try TestServer.freePort()
            try point(to: 1)
        }

        func point(to port: Int) throws {
            let text = "[orders]\nhost=127.0.0.1\nport=\(port)\nuser=postgres\n"
            try Data(text.utf8).write(to: URL(fileURLWithPath: service))
        }

        var addresses: [String] {
            ["--listen-http", "off", "--safekeeper-listen-http", "off", "--safekeeper-listen-pg", "127.0.0.1:\(port)"]
        }

        func status() throws -> (pageserver: Int?, safekeeper: Int?, report: [String: Any]) {
            let result = try workplace.zenith("status", "--json")
            let report = try #require(
                try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result.error)")
            let safekeeper = try #require(report["safekeeper"] as? [String: Any])
            let (first, second) = (report["pid"] as? Int, safekeeper["pid"] as? Int)
            #expect(result.status == (first != nil && second != nil ? 0 : 1))
            return (first, second, safekeeper["safekeeper"] as? [String: Any] ?? [:])
        }

        func eventually(
            sourceLocation: SourceLocation = #_sourceLocation, _ isTrue: () throws -> Bool
        ) throws {
            let deadline = ContinuousClock.now + .seconds(60)
            while try !isTrue() {
                try #require(ContinuousClock.now < deadline, sourceLocation: sourceLocation)
                usleep(100_000)
            }
        }

        func remove() {
            _ = try? workplace.zenith("stop", "--mode", "immediate")
            try? FileManager.default.removeItem(atPath: (service as NSString).deletingLastPathComponent)
        }
    }

    @Test("from a stopped cluster to the loss of its disk, with each daemon killed in between")
    func wholeWay() throws {
        let primary = try PostgresCluster.primary()
        try primary.psql("create table t (g int)")
        try primary.stop()
        let place = try Place()
        defer { place.remove() }
        let workplace = place.workplace
        let made = try workplace.zenith(
            [
                "init", "--storage-dest", workplace.storage, "--snapshot-path", primary.dataDirectory,
                "--snapshot-format", "pgdata", "--wal-source", "service=orders", "--name", "beside",
            ] + place.addresses)
        try #require(made.status == 0, "\(made.error)")
        #expect(made.output.contains("as soon as there is a server at wal_source"), "\(made.output)")
        let started = try workplace.succeed("start")
        #expect(started.contains("safekeeper started (pid "))

        try primary.start()
        try place.point(to: try #require(primary.port))
        try primary.await("select count(*) from pg_stat_replication where application_name = 'beside'", "1")
        try primary.awaitSafekeeper("beside")
        try primary.psql("insert into t select generate_series(1, 1000)")
        // The status is up to a second old.
        try place.eventually { try place.status().report["state"] as? String == "streaming" }
        var before = try place.status()

        // What ends the pageserver does not end the safekeeper, and the next start takes it as it is.
        Glibc.kill(Int32(try #require(before.pageserver)), SIGKILL)
        try place.eventually { try place.status().pageserver == nil }
        try primary.psql("insert into t select generate_series(1001, 2000)")
        try workplace.succeed("start")
        #expect(try place.status().safekeeper == before.safekeeper)

        // The pageserver starts a safekeeper that has ended.
        before = try place.status()
        Glibc.kill(Int32(try #require(before.safekeeper)), SIGKILL)
        try place.eventually { try place.status().safekeeper.map { $0 != before.safekeeper } ?? false }
        try primary.psql("insert into t select generate_series(2001, 3000)")

        // The disk is lost; what has been stopped in order is in storage, all of it.
        try primary.crash()
        try FileManager.default.removeItem(atPath: primary.dataDirectory)
        let stopped = try workplace.succeed("stop")
        #expect(stopped.contains("stopped the safekeeper"))
        let after = try place.status()
        #expect(after.pageserver == nil && after.safekeeper == nil)

        let restored = primary.directory + "/restored"
        try workplace.succeed("export", "--snapshot-path", restored, "--snapshot-format", "pgdata")
        let programs = Workplace.programs
        try run(["chmod", "-R", "a+rX", workplace.path]).check()
        let server = try PostgresCluster.open(restored)
        try server.configure([
            "restore_command = 'env -i PATH=/usr/bin:/bin ZENITH_STORAGE_DEST=\(workplace.storage) "
                + "\(programs)/safekeeper wal-fetch --stop-recovery %f %p'",
            "recovery_target_timeline = 'latest'", "synchronous_standby_names = ''",
        ])
        try Data().write(to: URL(fileURLWithPath: restored + "/postgresql.auto.conf"))
        try Data().write(to: URL(fileURLWithPath: restored + "/recovery.signal"))
        try run(["chown", "-R", "--reference=\(restored)", restored]).check()
        try server.start()
        try server.await("select pg_is_in_recovery()", "f")
        #expect(try server.psql("select count(*), sum(g) from t") == "3000|4501500")
    }

    @Test("a running primary that cannot be the cluster is refused before anything is made")
    func refusals() throws {
        let primary = try PostgresCluster.primary()
        let place = try Place()
        defer { place.remove() }
        try place.point(to: try #require(primary.port))
        let workplace = place.workplace
        let new = ["init", "--storage-dest", workplace.storage, "--wal-source", "service=orders"] + place.addresses
        try workplace.fail(new, 78, "runs already, and a new cluster cannot follow its WAL", "--snapshot-path")
        #expect(!FileManager.default.fileExists(atPath: workplace.storage + "/zenith.json"))
        #expect(!FileManager.default.fileExists(atPath: workplace.directory + "/zenith.toml"))

        let other = try PostgresCluster.primary()
        try other.stop()
        try workplace.succeed(
            "init", "-D", workplace.path + "/first", "--storage-dest", workplace.storage, "--snapshot-path",
            other.dataDirectory, "--snapshot-format", "pgdata")
        try workplace.fail(new, 78, "wal_source leads to", "--wal-source")
    }
}
