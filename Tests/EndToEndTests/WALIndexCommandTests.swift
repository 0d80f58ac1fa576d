import Foundation
import TestSupport
import Testing

/// `zenith wal index`, and what `wal dump` has of it.
@Suite("wal index", .timeLimit(.minutes(10)))
struct WALIndexCommandTests {
    /// WAL in which tables take turns, so that most segments are about one of them.
    private struct Turns {
        let cluster: PostgresCluster
        let work: Workplace
        /// Tablespace, database and file of each table.
        let relations: [String]
        /// Where WAL was half way.
        let middle: String
        var archive: String { work.storage + "/wal_005" }
        var indexes: String { work.storage + "/wal_index_001" }

        init() throws {
            let cluster = try PostgresCluster(
                major: 16, .init(walSegmentMegabytes: 1, configuration: ["wal_keep_size = 1GB", "autovacuum = off"]))
            work = try Workplace()
            try cluster.start()
            let tables = ["a", "b", "c"]
            for table in tables { try cluster.psql("create table \(table) (n int, words text)") }
            var positions: [String] = []
            for _ in 0..<2 {
                for table in tables {
                    try cluster.psql("insert into \(table) select n, repeat('x', 100) from generate_series(1, 15000) n")
                }
                positions.append(try cluster.psql("select pg_current_wal_insert_lsn()"))
            }
            middle = positions[0]
            try cluster.psql("select pg_logical_emit_message(true, '', repeat('x', 2500000)), pg_switch_wal()")
            try cluster.psql("delete from b where n % 1000 = 0")
            relations = try tables.map { table in
                try cluster.psql(
                    "select '1663/' || oid || '/' || pg_relation_filenode('\(table)') from pg_database "
                        + "where datname = current_database()")
            }
            try cluster.stop()
            self.cluster = cluster
            try FileManager.default.createDirectory(atPath: archive, withIntermediateDirectories: true)
            for name in try FileManager.default.contentsOfDirectory(atPath: cluster.dataDirectory + "/pg_wal")
            where name.utf8.count == 24 {
                try run(["cp", "\(cluster.dataDirectory)/pg_wal/\(name)", archive]).check()
            }
        }

        func index(_ arguments: [String]) throws -> (status: Int32, report: [String: Any]) {
            let result = try work.zenith(["wal", "index"] + arguments + ["--json"])
            let report = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            return (result.status, try #require(report, "\(result.error)"))
        }

        /// Segments that a command opens.
        func opened(_ arguments: [String]) throws -> Set<String> {
            let trace = work.path + "/trace"
            let traced = ["strace", "-f", "-y", "-qq", "-e", "trace=open,openat,openat2", "-o", trace]
            let result = try run(
                traced + [Workplace.programs + "/zenith"] + arguments, environment: work.environment,
                directory: work.path)
            try result.check()
            let text = try String(contentsOfFile: trace, encoding: .utf8)
            var names: Set<String> = []
            for line in text.split(separator: "\n") where !line.contains("ENOENT") && !line.contains("wal_index_001") {
                if let name = line.firstMatch(of: #/"(?:[^"]*\/)?([0-9A-F]{24})"/#) {
                    names.insert(String(name.output.1))
                }
            }
            return names
        }
    }

    @Test("makes what is missing or damaged, and says so before")
    func make() throws {
        let turns = try Turns()
        let storage = turns.work.storage
        let (before, found) = try turns.index([storage, "--check"])
        let count = try #require(found["missing"] as? Int)
        #expect(before == 1 && count > 8 && found["sound"] as? Int == 0 && found["unfinished"] as? Int == 1)
        #expect(!FileManager.default.fileExists(atPath: turns.indexes))
        let (made, report) = try turns.index([storage])
        #expect(made == 0 && report["made"] as? Int == count && report["missing"] as? Int == count)
        let names = try FileManager.default.contentsOfDirectory(atPath: turns.indexes).sorted()
        #expect(names.count == count)
        let sound = try Data(contentsOf: URL(fileURLWithPath: "\(turns.indexes)/\(names[3])"))
        let (again, nothing) = try turns.index([storage])
        #expect(again == 0 && nothing["made"] as? Int == 0 && nothing["sound"] as? Int == count)

        try FileManager.default.removeItem(atPath: "\(turns.indexes)/\(names[2])")
        var bytes = sound
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: "\(turns.indexes)/\(names[3])"))
        let (checked, faulty) = try turns.index([storage, "--check"])
        #expect(checked == 65 && faulty["missing"] as? Int == 1 && faulty["damaged"] as? Int == 1, "\(faulty)")
        let faults = try #require(faulty["faults"] as? [[String: Any]])
        #expect(faults.first?["segment"] as? String == names[3] && faults.first?["damaged"] as? String == "index")
        let text = try turns.work.succeed("wal", "index", storage)
        #expect(text.contains("the index of \(names[3]) is damaged") && text.contains("made      2"), "\(text)")
        #expect(try turns.index([storage, "--check"]).status == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: "\(turns.indexes)/\(names[3])")) == sound)

        // A segment that is damaged keeps the others from nothing.
        try FileManager.default.removeItem(atPath: turns.indexes)
        let damaged = URL(fileURLWithPath: "\(turns.archive)/\(names[4])")
        var content = try Data(contentsOf: damaged)
        content[500_000] ^= 1
        try content.write(to: damaged)
        let (failed, partly) = try turns.index([storage])
        #expect(failed == 65 && partly["failed"] as? Int == 1 && partly["made"] as? Int == count - 1, "\(partly)")

        try turns.work.fail(["wal", "index", turns.cluster.dataDirectory], 64, "no place for page indexes")
        try turns.work.fail(["wal", "index", turns.cluster.dataDirectory + "/pg_wal"], 64, "no place for page indexes")
        try turns.work.fail(["wal", "index", "\(turns.archive)/\(names[0])"], 64, "no place for page indexes")
        try turns.work.fail(["wal", "index", turns.work.path + "/absent"], 1, "there is no WAL")
    }

    @Test("spares wal dump the segments that are about other pages, and changes nothing that it says")
    func dump() throws {
        let turns = try Turns()
        var selections = turns.relations.map { ["--rel", $0] }
        selections += [
            ["--rel", turns.relations[1], "--block", "7"], ["--rel", turns.relations[0], "--fork", "main"],
            ["--rel", turns.relations[2], "--limit", "10"], ["--rel", "1663/1/1"], ["--block", "400"],
            ["--rel", turns.relations[0], "--end", turns.middle],
            ["--rel", turns.relations[0], "--start", turns.middle],
            ["--fork", "vm"], ["--rmgr", "heap"], ["--rel", turns.relations[0], "--json"],
        ]
        let place = turns.archive
        let whole = try selections.map { try turns.work.zenith(["wal", "dump", place] + $0) }
        let counted = try turns.work.zenith("wal", "stats", place, "--rel", turns.relations[0])
        #expect(try turns.index([place]).status == 0)
        for (selection, expected) in zip(selections, whole) {
            let found = try turns.work.zenith(["wal", "dump", place] + selection)
            #expect(found.status == 0 && expected.status == 0, "\(selection): \(found.error)")
            #expect(found.output == expected.output, "\(selection)")
            #expect(found.error == expected.error, "\(selection): \(found.error), not \(expected.error)")
        }
        let recounted = try turns.work.zenith("wal", "stats", place, "--rel", turns.relations[0])
        #expect(recounted.output == counted.output && recounted.error == counted.error)
        try expectFewOpened(turns)

        // One that is damaged tells nothing.
        let names = try FileManager.default.contentsOfDirectory(atPath: turns.indexes).sorted()
        for name in names { try Data("no index".utf8).write(to: URL(fileURLWithPath: "\(turns.indexes)/\(name)")) }
        let found = try turns.work.zenith(["wal", "dump", place] + selections[0])
        #expect(found.output == whole[0].output && found.error == whole[0].error)
    }

    private func expectFewOpened(_ turns: Turns) throws {
        guard try run(["which", "strace"]).status == 0 else {
            print("skipped: strace is not installed")
            return
        }
        let all = try turns.opened(["wal", "dump", turns.archive, "--rmgr", "heap"])
        // The first one tells the version, the last the end.
        let opened = try turns.opened(["wal", "dump", turns.archive, "--rel", turns.relations[0]])
        #expect(opened.isSubset(of: all) && opened.count * 3 < all.count * 2, "\(opened.count) of \(all.count)")
        #expect(try turns.opened(["wal", "dump", turns.archive, "--rel", "1663/1/1"]).count <= 3)
    }
}
