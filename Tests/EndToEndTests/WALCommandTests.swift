import Foundation
import Glibc
import TestSupport
import Testing

@Suite("wal-push and wal-fetch", .timeLimit(.minutes(20)))
struct WALCommandTests {
    private func bytes(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map(Array.init) }

    @Test("what is waiting is pushed along, and its own turn needs no storage while the file is the same")
    func pushAhead() throws {
        let place = try WALWorkplace()
        try place.makeSegments(1...20)
        try place.succeed("wal-push", place.path(1))
        #expect(place.archived == (1...20).map { WALWorkplace.segmentName($0) + ".zst" })
        try place.moveStorage(away: true)
        // Relative, as PostgreSQL gives it.
        let second = try run(
            [place.program, "wal-push", "pg_wal/" + WALWorkplace.segmentName(2)], directory: place.work.path + "/data")
        #expect(second.status == 0, "\(second.error)")
        // Written again, be it with the same: what was remembered counts no more. There is no storage to ask.
        let third = try #require(bytes(place.path(3)))
        try Data(third).write(to: URL(fileURLWithPath: place.path(3)))
        try Data("x".utf8).write(to: URL(fileURLWithPath: place.work.storage))
        let failed = try place.safekeeper("wal-push", place.path(3))
        #expect(failed.status != 0)
        try FileManager.default.removeItem(atPath: place.work.storage)
        try place.moveStorage(away: false)
        try place.succeed("wal-push", place.path(3))
        // Another content where one was pushed ahead.
        try Data(WALWorkplace.segment(4, seed: 9)).write(to: URL(fileURLWithPath: place.path(4)))
        try place.fail(["wal-push", place.path(4)], 73, "differs from wal_005/\(WALWorkplace.segmentName(4)).zst")
        // Once used, a record is gone; the archive is asked then.
        try place.succeed("wal-push", place.path(2))
        #expect(place.archived.count == 20)
    }

    @Test("the small files, and names that are none")
    func names() throws {
        let place = try WALWorkplace()
        try place.makeSegments(1...1)
        let backup = WALWorkplace.segmentName(1) + ".00000028.backup"
        for name in ["00000002.history", backup] {
            try Data("1\t0/100000\tno reason\n".utf8).write(to: URL(fileURLWithPath: place.walDirectory + "/" + name))
            try place.succeed("wal-push", place.walDirectory + "/" + name)
        }
        let partial = WALWorkplace.segmentName(1) + ".partial"
        try FileManager.default.copyItem(atPath: place.path(1), toPath: place.walDirectory + "/" + partial)
        try place.succeed("wal-push", place.walDirectory + "/" + partial)
        #expect(
            place.archived
                == [WALWorkplace.segmentName(1) + ".00000028.backup.zst", partial + ".zst", "00000002.history.zst"]
                .sorted())
        for name in ["00000002.history", backup, partial] {
            try place.succeed("wal-fetch", name, "fetched")
            #expect(bytes(place.work.path + "/fetched") == bytes(place.walDirectory + "/" + name))
        }
        try place.fail(["wal-push", place.walDirectory + "/nonsense"], 64, "nonsense")
        try place.fail(["wal-fetch", "RECOVERYXLOG", "x"], 64, "RECOVERYXLOG")
        try place.fail(["wal-push", place.path(2)], 1, place.path(2))
    }

    @Test("exit codes of wal-fetch, and with --stop-recovery")
    func exitCodes() throws {
        let place = try WALWorkplace()
        let name = WALWorkplace.segmentName(1)
        try place.makeSegments(1...1)
        let nowhere = try WALWorkplace.unreachable()
        for (arguments, failure) in [(["wal-fetch"], false), (["wal-fetch", "--stop-recovery"], true)] {
            func code(_ code: Int32) -> Int32 { failure ? 255 : code }
            try place.fail(arguments + [name, "x"], 74, "has no \(name)")
            try place.fail(arguments + ["00000002.history", "x"], 74, "has no 00000002.history")
            try nowhere.fail(arguments + [name, "x"], code(69), "127.0.0.1:1")
            try place.fail(arguments + [name, "x", "--wal-compression", "zip"], code(64), "wal-compression")
            try place.succeed("wal-push", place.path(1))
            let object = place.work.storage + "/wal_005/" + name + ".zst"
            let whole = try #require(bytes(object))
            try Data(whole.dropLast(100)).write(to: URL(fileURLWithPath: object))
            try place.fail(arguments + [name, "x"], code(65), "damaged")
            try FileManager.default.removeItem(atPath: object)
            try Data().write(to: URL(fileURLWithPath: object.dropLast(4) + ".br"))
            try place.fail(arguments + [name, "x"], code(1), "packed as br")
            try FileManager.default.removeItem(atPath: object.dropLast(4) + ".br")
            #expect(!FileManager.default.fileExists(atPath: place.work.path + "/x"))
        }
        let bare = try run(
            [Workplace.programs + "/safekeeper", "wal-fetch", name, "x"], environment: place.work.environment)
        #expect(bare.status == 78 && bare.error.contains("storage_dest"), "\(bare.error)")
    }

    @Test("segments are fetched ahead, beside the data directory, and given without the storage")
    func fetchAhead() throws {
        let place = try WALWorkplace()
        try place.makeSegments(1...30)
        try place.succeed("wal-push", place.path(1))
        #expect(place.archived.count >= 30)
        let restored = place.work.path + "/restored/pg_wal"
        try FileManager.default.createDirectory(atPath: restored, withIntermediateDirectories: true)
        let target = restored + "/RECOVERYXLOG"
        for number in 1...3 {
            try place.succeed("wal-fetch", WALWorkplace.segmentName(number), target)
            #expect(bytes(target) == bytes(place.path(number)))
        }
        let base = place.work.path + "/restored/.."
        let found = { try run(["find", base, "-path", "*/.restored.zenith-wal/*/fetched/*", "-name", "0*"]).output }
        // It keeps a bounded number, none of those that were passed.
        var names: [String] = []
        repeat {
            usleep(20_000)
            names = try found().split(separator: "\n").map { String($0.split(separator: "/").last!) }.sorted()
        } while names != (4...19).map { WALWorkplace.segmentName($0) }
        try place.moveStorage(away: true)
        for number in 4...19 {
            if number == 10 {
                let path = try found().split(separator: "\n").first { $0.hasSuffix(WALWorkplace.segmentName(10)) }
                try Data(WALWorkplace.segment(11)).write(to: URL(fileURLWithPath: String(try #require(path))))
                // Not what its name promises: fetched anew.
                let result = try place.safekeeper("wal-fetch", WALWorkplace.segmentName(number), target)
                #expect(result.status != 0)
                continue
            }
            try place.succeed("wal-fetch", WALWorkplace.segmentName(number), target)
            #expect(bytes(target) == bytes(place.path(number)), "\(number)")
            try FileManager.default.removeItem(atPath: target)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: restored) == [])
        try place.moveStorage(away: false)
        // Going back, and ahead again.
        for number in [2, 3, 30, 10] {
            try place.succeed("wal-fetch", WALWorkplace.segmentName(number), target)
            #expect(bytes(target) == bytes(place.path(number)), "\(number)")
        }
    }

    @Test("killed at any moment, a push leaves the whole file or none, and a fetch leaves the target alone")
    func killed() throws {
        let place = try WALWorkplace()
        let name = WALWorkplace.segmentName(1)
        try FileManager.default.createDirectory(atPath: place.walDirectory, withIntermediateDirectories: true)
        try place.makeSegments(1...1)
        let original = try #require(bytes(place.path(1)))
        func kill(_ arguments: [String], afterMicroseconds delay: UInt32) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: place.program)
            process.arguments = arguments
            process.standardError = FileHandle.nullDevice
            process.currentDirectoryURL = URL(fileURLWithPath: place.work.path)
            try process.run()
            usleep(delay)
            Glibc.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        for round in 0..<30 {
            try kill(["wal-push", place.path(1)], afterMicroseconds: UInt32(round) * 2_000 + 5_000)
            for found in place.archived where !found.hasPrefix(".") {
                #expect(found == name + ".zst")
                let tested = try run([
                    "zstd", "-d", "-q", "-c", "-f", place.work.storage + "/wal_005/" + found, "-o",
                    place.work.path + "/unpacked",
                ])
                #expect(tested.status == 0 && bytes(place.work.path + "/unpacked") == original)
                if round % 2 == 0 {
                    try FileManager.default.removeItem(atPath: place.work.storage + "/wal_005/" + found)
                }
            }
        }
        try place.succeed("wal-push", place.path(1))
        let target = place.work.path + "/target"
        for round in 0..<30 {
            try Data("old".utf8).write(to: URL(fileURLWithPath: target))
            try kill(["wal-fetch", name, target], afterMicroseconds: UInt32(round) * 2_000 + 5_000)
            let got = bytes(target)
            #expect(got == Array("old".utf8) || got == original)
        }
        try place.succeed("wal-fetch", name, target)
        #expect(bytes(target) == original)
    }

    @Test("in a repository, WAL lies with its timeline, and that of another cluster is refused")
    func repository() throws {
        let place = try WALWorkplace()
        try place.work.succeed(
            "init", "--storage-dest", place.work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format", "pgdata")
        try place.makeSegments(1...1)
        try place.fail(["wal-push", place.path(1)], 65, "system identifier 7")
        try place.fail(["wal-push", place.path(1), "--timeline", "other"], 1, "no timeline other")
        let wal = try SourceCluster.get().path + "/pg_wal"
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: wal).filter { $0.count == 24 }.sorted().first)
        try place.succeed("wal-push", wal + "/" + name)
        #expect(place.archived == [])
        let shown = try place.safekeeper("wal-show")
        #expect(
            shown.output.contains("timelines/") && shown.output.contains("repository, timeline main")
                && shown.output.contains(name), "\(shown.output)\(shown.error)")
        try place.succeed("wal-fetch", name, "fetched")
        #expect(bytes(place.work.path + "/fetched") == bytes(wal + "/" + name))
    }

    @Test("wal-show names gaps, in words and as JSON")
    func show() throws {
        let place = try WALWorkplace()
        let empty = try place.safekeeper("wal-show")
        #expect(empty.status == 0 && empty.output.contains("segments  0"), "\(empty.output)\(empty.error)")
        try place.makeSegments(1...9)
        try place.succeed("wal-push", place.path(1))
        for number in [4, 5, 7] {
            try FileManager.default.removeItem(
                atPath: place.work.storage + "/wal_005/" + WALWorkplace.segmentName(number) + ".zst")
        }
        let shown = try place.safekeeper("wal-show")
        #expect(
            shown.output.contains(
                "gap in TLI 1: \(WALWorkplace.segmentName(4)) to \(WALWorkplace.segmentName(5)) (2 segments)"))
        #expect(shown.output.contains("gap in TLI 1: \(WALWorkplace.segmentName(7))\n"), "\(shown.output)")
        #expect(shown.output.contains("no repository"))
        let json = try JSONSerialization.jsonObject(
            with: Data(try place.safekeeper("wal-show", "--json").output.utf8))
        let report = try #require(json as? [String: Any])
        #expect(report["missing"] as? Int == 3 && report["segments"] as? Int == 6)
        #expect(report["layout"] as? String == "walg" && report["segmentBytes"] as? Int == 1 << 20)
    }
}
