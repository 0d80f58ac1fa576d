import Foundation
import Interchange
import PostgresFormat
import Snapshots
import SystemPackage
import TestSupport
import Testing

/// What is not imported, and what is said of it.
@Suite("refusals", .timeLimit(.minutes(30)))
struct RefusalTests {
    /// Changes a copy of the cluster and imports it.
    private func refusal(
        _ data: String, _ workshop: Workshop, _ change: (String) throws -> Void
    ) async throws -> String {
        let copy = "\(workshop.directory)/copy-\(UUID().uuidString)"
        try shell("cp", "-a", data, copy)
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try change(copy)
        return await workshop.refusal(copy) ?? "accepted"
    }

    @Test("clusters that are not shut down")
    func notShutDown() async throws {
        let workshop = try Workshop()
        let cluster = try PostgresCluster(major: 15)
        try cluster.start()
        let running = await workshop.refusal(cluster.dataDirectory)
        #expect(
            running?.contains("PostgreSQL is running on it (pid \(cluster.postmasterPID!))") == true, "\(running ?? "")"
        )
        try cluster.crash()
        #expect(await workshop.refusal(cluster.dataDirectory)?.contains("if it was killed") == true)
        try FileManager.default.removeItem(atPath: cluster.dataDirectory + "/postmaster.pid")
        let crashed = await workshop.refusal(cluster.dataDirectory)
        #expect(
            crashed?.contains("was not shut down cleanly: its state is \"in production\"") == true, "\(crashed ?? "")")
        try cluster.start()
        try cluster.stop()
        #expect(await workshop.refusal(cluster.dataDirectory) == nil)

        // The same as a standby, which also ends in order.
        try Data().write(to: URL(fileURLWithPath: cluster.dataDirectory + "/standby.signal"))
        try cluster.start()
        try cluster.stop()
        let standby = await workshop.refusal(cluster.dataDirectory)
        #expect(standby?.contains("it was a standby: promote it") == true, "\(standby ?? "")")
    }

    @Test("directories that are no clusters, or damaged ones")
    func damaged() async throws {
        let workshop = try Workshop()
        let cluster = try PostgresCluster(major: 15)
        let data = cluster.dataDirectory
        try shell("mkdir", workshop.directory + "/nothing")
        #expect(
            await workshop.refusal(workshop.directory + "/nothing")?.contains("is not a PostgreSQL data directory")
                == true)
        #expect(
            await workshop.refusal(workshop.directory + "/absent")?.contains("is not a PostgreSQL data directory")
                == true)

        let cases: [(reason: String, change: (String) throws -> Void)] = [
            ("13", { try Data("13\n".utf8).write(to: URL(fileURLWithPath: $0 + "/PG_VERSION")) }),
            ("PG_VERSION says 16", { try Data("16\n".utf8).write(to: URL(fileURLWithPath: $0 + "/PG_VERSION")) }),
            ("global/pg_control", { try flip($0 + "/global/pg_control", at: 20) }),
            ("global/pg_control", { try shell("truncate", "-s", "100", $0 + "/global/pg_control") }),
            ("base/1/1259 is 8200 bytes long", { try shell("truncate", "-s", "8200", $0 + "/base/1/1259") }),
            (
                "base/1/link is a link to a directory",
                { try FileManager.default.createSymbolicLink(atPath: $0 + "/base/1/link", withDestinationPath: "/tmp") }
            ),
            ("is missing: the WAL of the shutdown checkpoint", { try shell("sh", "-c", "rm $0/pg_wal/0*", $0) }),
            ("is cut short", { try shell("sh", "-c", "truncate -s 8192 $0/pg_wal/0*", $0) }),
            (
                "the shutdown checkpoint at",
                { try shell("sh", "-c", "truncate -s 0 $0/pg_wal/0* && truncate -s 16M $0/pg_wal/0*", $0) }
            ),
            ("backup_label", { try Data("x".utf8).write(to: URL(fileURLWithPath: $0 + "/backup_label")) }),
        ]
        for (reason, change) in cases {
            let said = try await refusal(data, workshop, change)
            #expect(said.contains(reason), "\(said)")
        }
    }

    @Test("bad pages are refused, or taken and recorded")
    func badPages() async throws {
        let workshop = try Workshop()
        let cluster = try PostgresCluster(major: 15)
        let file = cluster.dataDirectory + "/base/1/1255"
        try flip(file, at: 3 * 8192 + 5000)
        try flip(file, at: 20 * 8192 + 5000)
        let said = await workshop.refusal(cluster.dataDirectory)
        // Either worker may find its page first; both pages lie in one unit, so it is always the first.
        #expect(said?.contains("base/1/1255: block 3 of the file") == true, "\(said ?? "")")
        #expect(said?.contains("--allow-corrupt-pages") == true)
        let snapshot = try await workshop.importing(cluster.dataDirectory, allowCorruptPages: true)
        #expect(snapshot.manifest.corruptPages.map(\.block) == [3, 20])
        #expect(snapshot.manifest.corruptPages.allSatisfy { $0.fork.relation == 1255 && $0.fork.database == 1 })
        try expectSameContent(cluster.dataDirectory, await workshop.export(snapshot, to: "export"))
    }

    @Test("places that an export is not written to, or only over its own remains")
    func places() async throws {
        let workshop = try Workshop()
        let snapshot = try await workshop.importingFresh()
        let taken = workshop.directory + "/taken"
        try shell("mkdir", "-m", "755", taken)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: taken + "/file"))
        do {
            try await workshop.export(snapshot, to: taken)
            Issue.record("a directory that was not empty was taken")
        } catch InterchangeError.exists(let text) { #expect(text.contains("\(taken) is not empty")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: taken) == ["file"])
        #expect(FileManager.default.contents(atPath: taken + "/file") == Data("mine".utf8))
        #expect(try mode(taken) == 0o755)

        let unfinished = workshop.directory + "/unfinished"
        try shell("mkdir", "-p", unfinished + "/base/7")
        for file in ["zenith-export-unfinished", "base/7/1"] {
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(unfinished)/\(file)"))
        }
        try await workshop.export(snapshot, to: unfinished)
        #expect(!exists(unfinished + "/base/7") && !exists(unfinished + "/zenith-export-unfinished"))
        #expect(exists(unfinished + "/global/pg_control"))

        // A server runs on it, however it came to be marked: it is left alone.
        for file in ["zenith-export-unfinished", "postmaster.pid"] {
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(unfinished)/\(file)"))
        }
        await #expect(throws: InterchangeError.self) { try await workshop.export(snapshot, to: unfinished) }
        #expect(exists(unfinished + "/global/pg_control"))
    }

    /// Known before, by its size, and found out on the way, by its inodes.
    @Test("a full disk", .enabled(if: geteuid() == 0))
    func fullDisk() async throws {
        let workshop = try Workshop()
        let snapshot = try await workshop.importingFresh()
        for limits in ["size=20m", "size=300m,nr_inodes=200"] { try await export(snapshot, workshop, limits) }
    }

    private func export(_ snapshot: SnapshotReader, _ workshop: Workshop, _ limits: String) async throws {
        let mount = workshop.directory + "/mount"
        try shell("mkdir", "-p", mount)
        try shell("mount", "-t", "tmpfs", "-o", limits, "tmpfs", mount)
        defer { _ = try? shell("umount", mount) }
        do {
            try await workshop.export(snapshot, to: mount + "/export")
            Issue.record("it fitted")
        } catch InterchangeError.io(let text) {
            #expect(text.contains("MiB left") || text.contains("No space left on device"), "\(text)")
        }
        #expect(exists(mount + "/export/zenith-export-unfinished"))
        #expect(!exists(mount + "/export/PG_VERSION") && !exists(mount + "/export/global/pg_control"))
    }
}
