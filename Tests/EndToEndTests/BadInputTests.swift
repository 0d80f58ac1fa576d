import Foundation
import Glibc
import TestSupport
import Testing

@Suite("bad input is refused in one clear line, with the documented code", .serialized)
struct BadInputTests {
    /// A repository with one snapshot, and an installation that has nothing of it locally.
    private func stored() throws -> Workplace {
        let work = try Workplace()
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format", "pgdata")
        try work.succeed("snapshot", "create")
        try FileManager.default.removeItem(atPath: work.directory + "/timelines")
        return work
    }

    private func expectNoExport(
        _ work: Workplace, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
    )
        throws
    {
        let target = work.path + "/restored"
        let result = try work.zenith("export", "--snapshot-path", target, "--snapshot-format", "pgdata")
        #expect(result.status == 65, "\(result.error)", sourceLocation: sourceLocation)
        for word in words { #expect(result.error.contains(word), "\(result.error)", sourceLocation: sourceLocation) }
        for file in ["PG_VERSION", "global/pg_control"] {
            #expect(!FileManager.default.fileExists(atPath: "\(target)/\(file)"), sourceLocation: sourceLocation)
        }
        try work.fail(["snapshot", "verify"], 65, "damaged", sourceLocation: sourceLocation)
    }

    @Test("a pack with one bit changed")
    func flippedPack() throws {
        let work = try stored()
        let pack = try #require(try work.packs().first)
        try flip(pack, at: 100_000)
        try expectNoExport(work, (pack as NSString).lastPathComponent, "fails its checksum")
        // The export that was begun is replaced when the storage is sound again.
        try flip(pack, at: 100_000)
        try expectEqualCluster(try work.export(to: "restored"))
    }

    @Test("a pack cut short, and a pack that is gone")
    func missingPack() throws {
        let work = try stored()
        let pack = try #require(try work.packs().first)
        try cut(pack, at: 50_000)
        try expectNoExport(work, "cut short")
        try FileManager.default.removeItem(atPath: pack)
        try expectNoExport(work, "missing")
    }

    @Test("a manifest with one bit changed, cut short, and of a newer version")
    func damagedManifest() throws {
        let work = try stored()
        let manifest = try work.storedSnapshot() + "/manifest"
        try flip(manifest, at: 777)
        try expectNoExport(work, "digest")
        try work.fail(["start"], 65, "digest")
        try flip(manifest, at: 777)
        try flip(manifest, at: 8)
        try flip(manifest, at: 9)
        try expectNoExport(work, "newer zenith")
        try cut(manifest, at: 300)
        try expectNoExport(work)
    }

    @Test("what is not a cluster, or not one that can be taken")
    func notACluster() throws {
        let work = try Workplace()
        let source = try SourceCluster.get()
        func refuse(_ path: String, _ status: Int32, _ words: String) throws {
            try work.fail(
                ["init", "--storage-dest", work.storage, "--snapshot-path", path, "--snapshot-format", "pgdata"],
                status,
                words)
            #expect(!FileManager.default.fileExists(atPath: work.directory))
            #expect(!FileManager.default.fileExists(atPath: work.storage + "/zenith.json"))
        }
        try refuse("/tmp", 1, "not a PostgreSQL data directory")
        try refuse("/nowhere/at/all", 1, "not a PostgreSQL data directory")
        let copy = work.path + "/copy"
        _ = try run(["cp", "-a", source.path, copy])
        let relation = try #require(
            try FileManager.default.contentsOfDirectory(atPath: copy + "/base/5").first { $0 == "2619" || $0 == "1259" }
        )
        try flip("\(copy)/base/5/\(relation)", at: 8200)
        try refuse(copy, 65, "base/5/\(relation): block 1 ")
        try flip("\(copy)/base/5/\(relation)", at: 8200)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(copy)/base/5/\(relation)"))
        try file.seekToEnd()
        try file.write(contentsOf: Data([1, 2, 3]))
        try file.close()
        try refuse(copy, 65, "not a multiple of 8192")
    }

    @Test("corrupt pages are taken only when told to, and recorded")
    func corruptPages() throws {
        let work = try Workplace()
        let copy = work.path + "/copy"
        _ = try run(["cp", "-a", try SourceCluster.get().path, copy])
        try flip("\(copy)/base/5/1259", at: 100)
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", copy, "--snapshot-format", "pgdata",
            "--allow-corrupt-pages")
        let shown = try json(work.succeed("snapshot", "show", "LATEST", "--json"))
        #expect((shown["corruptPages"] as? [String])?.count == 1)
        try work.succeed("snapshot", "create")
        #expect(try work.succeed("snapshot", "verify").contains("is sound"))
        let export = try work.export(to: "restored")
        #expect(
            FileManager.default.contents(atPath: export + "/base/5/1259")
                == FileManager.default.contents(atPath: copy + "/base/5/1259"))
    }

    @Test("locations, options and configuration")
    func locations() throws {
        let work = try Workplace()
        func refuse(_ storage: String, _ status: Int32, _ words: String) throws {
            try work.fail(["init", "--storage-dest", storage], status, words)
        }
        try refuse("s4://bucket/x", 78, "did you mean s3")
        try refuse("S3_PREFIX", 78, "WALG_S3_PREFIX")
        for scheme in ["azure", "swift", "oss"] {
            try refuse("\(scheme)://somewhere/x", 78, "\(scheme):// is not yet supported")
        }
        let secret = try work.zenith("init", "--storage-dest", "s3://AKIA:topsecretword@bucket/x")
        #expect(secret.status == 78 && !secret.error.contains("topsecretword"), "\(secret.error)")
        #expect(secret.error.contains("AWS_SECRET_ACCESS_KEY"))
        try work.fail(["init", "--storage_dst", "x"], 64, "--storage-dest")
        try work.fail(["export"], 64, "--snapshot-path")
        try work.fail(["snapshot", "list"], 78, "storage_dest is not set")

        try FileManager.default.createDirectory(atPath: work.directory, withIntermediateDirectories: true)
        try Data("storge_dest = \"/x\"\nworkers = \"many\"\n".utf8)
            .write(to: URL(fileURLWithPath: work.directory + "/zenith.toml"))
        try work.fail(["start"], 78, "storge_dest", "storage_dest", "workers", "2 faults")
    }

    @Test("the target of an export is left as it is when something is there")
    func takenTarget() throws {
        let work = try stored()
        try FileManager.default.createDirectory(atPath: work.path + "/taken", withIntermediateDirectories: true)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: work.path + "/taken/file"))
        try work.fail(
            ["export", "--snapshot-path", work.path + "/taken", "--snapshot-format", "pgdata"], 73, "not empty")
        #expect(try FileManager.default.contentsOfDirectory(atPath: work.path + "/taken") == ["file"])
        try work.fail(
            ["export", "--snapshot-path", work.path + "/x", "--snapshot-format", "pgdata", "--lsn", "0/1"], 1,
            "no snapshot at LSN 0/1")
        try work.fail(
            [
                "export", "--snapshot-path", work.path + "/x", "--snapshot-format", "pgdata", "--tablespace-mapping",
                "/none=/new",
            ], 1, "no tablespace /none")
    }

    @Test("a full disk: for the local directory, the storage, and an export", .enabled(if: getuid() == 0))
    func fullDisk() throws {
        let work = try stored()
        let small = work.path + "/small"
        try FileManager.default.createDirectory(atPath: small, withIntermediateDirectories: true)
        let mounted = try run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small])
        guard mounted.status == 0 else {
            print("skipped: no tmpfs can be mounted here: \(mounted.error)")
            return
        }
        defer { _ = try? run(["umount", small]) }
        let source = try SourceCluster.get().path
        try work.fail(
            [
                "init", "-D", small + "/dir", "--storage-dest", work.path + "/s2", "--snapshot-path", source,
                "--snapshot-format", "pgdata",
            ], 1, "No space left")
        #expect(!FileManager.default.fileExists(atPath: small + "/dir"))
        try work.fail(
            ["export", "--snapshot-path", small + "/export", "--snapshot-format", "pgdata"], 1, "MiB left")
        try work.succeed(
            "init", "-D", "third", "--storage-dest", small + "/storage", "--snapshot-path", source, "--snapshot-format",
            "pgdata")
        try work.fail(["snapshot", "create", "-D", "third"], 1, "No space left")
        #expect(try work.succeed("snapshot", "list", "-D", "third").contains("local disk"))
    }

    @Test("a snapshot that was damaged before it was ever pushed is not pushed")
    func damagedBeforePush() throws {
        let work = try Workplace()
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format", "pgdata")
        let timelines = work.directory + "/timelines"
        let timeline = try #require(try FileManager.default.contentsOfDirectory(atPath: timelines).first)
        let snapshots = "\(timelines)/\(timeline)/snapshots"
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: snapshots).first)
        let pack = try #require(
            try FileManager.default.contentsOfDirectory(atPath: "\(snapshots)/\(name)").first { $0.hasPrefix("pack-") })
        try flip("\(snapshots)/\(name)/\(pack)", at: 50_000)
        try work.fail(["snapshot", "create"], 65, pack, "damaged")
        #expect(try work.succeed("snapshot", "list", "--json").contains("\"stored\" : false"))
    }

    @Test("a storage that may only be read", .enabled(if: getuid() == 0))
    func readOnlyStorage() throws {
        let work = try stored()
        _ = try run(["chmod", "-R", "a+rX", work.path])
        let command = [
            "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", Workplace.programs + "/zenith",
            "init", "-D", "/tmp/zenith-e2e-\(UUID().uuidString)", "--storage-dest", work.path + "/storage/below",
            "--snapshot-path", work.path,
        ]
        let result = try run(command, environment: work.environment, directory: "/")
        #expect(result.status == 1 || result.status == 77, "\(result.error)")
        #expect(!FileManager.default.fileExists(atPath: work.path + "/storage/below"))
    }
}
