import Foundation
import TestSupport
import Testing

@Suite("the main job", .serialized)
struct MainJobTests {
    @Test("init, start, push, lose the disk, start again, export, PostgreSQL runs")
    func mainJob() throws {
        let work = try Workplace()
        let source = try SourceCluster.get()
        let report = try work.succeed(
            "init", "--storage_dest", work.storage, "--snapshot_path", source.path, "--snapshot-format", "pgdata",
            "--label", "the first")
        #expect(report.contains("PostgreSQL 15"))
        let before = try work.zenith("status")
        #expect(before.status == 1 && before.output.hasPrefix("not running"))
        try work.succeed("start")
        try work.fail(["start"], 75, "already")
        let name = try work.succeed("snapshot", "create")
        #expect(try work.succeed("status").contains(name))
        let status = try json(work.succeed("status", "--json"))
        #expect((status["pageserver"] as? [String: Any])?["latestSnapshot"] as? String == name)
        #expect(try work.succeed("snapshot", "verify").contains("is sound"))
        try work.succeed("stop")

        try FileManager.default.removeItem(atPath: work.directory + "/timelines")
        try work.succeed("start")
        #expect(try work.succeed("snapshot", "list").contains(name))
        let export = try work.export(to: "restored")
        #expect(try FileManager.default.attributesOfItem(atPath: export)[.posixPermissions] as? Int == 0o700)
        try expectEqualCluster(export)

        // The same snapshot, named in other ways, by the other program.
        let shown = try json(work.succeed("snapshot", "show", "LATEST", "--json"))
        for selection in [["--snapshot", name], ["--lsn", try #require(shown["endLSN"] as? String)]] {
            let target = "\(work.path)/by\(selection[0])"
            let result = try run(
                [
                    Workplace.programs + "/pageserver", "export", "--snapshot-path", target, "--snapshot-format",
                    "pgdata",
                ]
                    + selection, environment: work.environment, directory: work.path)
            #expect(result.status == 0, "\(result.error)")
            for file in ["global/pg_control", "base/5/1259"] {
                #expect(
                    FileManager.default.contents(atPath: "\(target)/\(file)")
                        == FileManager.default.contents(atPath: "\(source.path)/\(file)"))
            }
        }
        #expect(shown["label"] as? String == "the first")
        #expect(shown["dataChecksums"] as? Bool == true)
        try work.succeed("snapshot", "delete", name)
        try work.fail(["snapshot", "show", "LATEST"], 1, "no snapshot")
        try work.succeed("stop")
    }

    @Test("local damage is mended from storage")
    func damagedLocally() throws {
        let work = try Workplace()
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format", "pgdata")
        let name = try work.succeed("snapshot", "create")
        let local = "\(work.directory)/timelines/\(name.prefix(32))/snapshots/\(name)"
        for (index, pack) in try FileManager.default.contentsOfDirectory(atPath: local).sorted().enumerated() {
            guard pack.hasPrefix("pack-") else { continue }
            if index % 2 == 0 {
                try flip(local + "/" + pack, at: 40_000)
            } else {
                try cut(local + "/" + pack, at: 9000)
            }
        }
        try cut(local + "/manifest", at: 900)
        try work.succeed("start")
        try expectEqualCluster(try work.export(to: "restored"))
    }

    @Test("a new cluster by initdb; a second installation attaches to its repository")
    func newCluster() throws {
        let work = try Workplace()
        try work.succeed("start", "--storage-dest", work.storage)
        try work.succeed("snapshot", "create")
        try work.succeed("stop")
        try work.fail(["init", "--storage-dest", work.storage], 73, "initialized already")
        let attached = try work.succeed("init", "-D", "other", "--storage-dest", work.storage)
        #expect(attached.hasPrefix("attached"))
        try work.fail(
            [
                "init", "-D", "third", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
                "--snapshot-format", "pgdata",
            ], 73, "holds a repository already")
        #expect(!FileManager.default.fileExists(atPath: work.path + "/third/zenith.toml"))
        let export = work.path + "/new"
        try work.succeed(
            "export", "-D", "other", "--snapshot-path", export, "--snapshot-format", "pgdata")
        let cluster = try PostgresCluster.open(export)
        // initdb's own rules ask for a password that nobody has set.
        try Data("local all all trust\nhost all all 127.0.0.1/32 trust\n".utf8)
            .write(to: URL(fileURLWithPath: export + "/pg_hba.conf"))
        try cluster.start()
        #expect(try cluster.psql("select count(*) > 0 from pg_class") == "t")
        try cluster.stop()
    }

    @Test("a repository in another place, by the zenith format")
    func zenithFormat() throws {
        let work = try Workplace()
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format", "pgdata")
        try work.succeed("snapshot", "create")
        try work.succeed("export", "--snapshot-path", work.path + "/copy")
        try work.fail(["export", "--snapshot-path", work.path + "/copy"], 73, "not empty")
        try work.succeed(
            "init", "-D", "second", "--storage-dest", work.path + "/elsewhere", "--snapshot-path", work.path + "/copy")
        try work.succeed("snapshot", "create", "-D", "second")
        let export = work.path + "/restored"
        try work.succeed("export", "-D", "second", "--snapshot-path", export, "--snapshot-format", "pgdata")
        try expectEqualCluster(export)
    }

    @Test("the snapshot's bytes are what the documentation says: a reader made from it alone reads them")
    func documentedFormat() throws {
        let work = try Workplace()
        let source = try SourceCluster.get().path
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", source, "--snapshot-format", "pgdata")
        try work.succeed("snapshot", "create")
        let reader = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("reader.py")
            .path
        let result = try run(["python3", reader, try work.storedSnapshot(), source])
        #expect(result.status == 0, "\(result.error)")
        #expect(result.output.contains("all forks and files equal"))
    }
}

func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
}

/// Changes one bit of a file.
func flip(_ path: String, at offset: UInt64) throws {
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    defer { try? file.close() }
    try file.seek(toOffset: offset)
    let byte = try #require(try file.read(upToCount: 1)?.first)
    try file.seek(toOffset: offset)
    try file.write(contentsOf: Data([byte ^ 1]))
}

func cut(_ path: String, at offset: UInt64) throws {
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    defer { try? file.close() }
    try file.truncate(atOffset: offset)
}
