import Foundation
import Glibc
import TestSupport
import Testing

/// `zenith wal`, beside `pg_waldump`.
@Suite("wal dump and wal stats", .timeLimit(.minutes(10)))
struct WALDumpTests {
    /// A cluster that has done much and was killed.
    private static func worked(_ major: Int) throws -> PostgresCluster {
        let cluster = try PostgresCluster(
            major: major, .init(walSegmentMegabytes: 1, configuration: WALWorkload.configuration))
        try cluster.start()
        try WALWorkload.run(cluster)
        try cluster.crash()
        return cluster
    }

    private static func segments(_ cluster: PostgresCluster) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: cluster.dataDirectory + "/pg_wal").sorted()
            .filter { $0.count == 24 }
    }

    private static func lines(_ text: String) -> [String] {
        text.components(separatedBy: "\n").filter { !$0.isEmpty }
    }

    /// A line without the words about the record's content, which differ between versions of `pg_waldump`.
    private static func frame(_ line: String) throws -> String {
        let words = try #require(line.range(of: ", desc: "), "\(line)")
        let name = line[words.upperBound...].prefix { $0 != " " }
        let blocks = line.range(of: ", blkref #").map { line[$0.lowerBound...] } ?? ""
        return line[..<words.upperBound] + name + blocks.trimmingCharacters(in: .whitespaces)
    }

    @Test("print the fields of pg_waldump, and select as it does", arguments: [14, 18])
    func fields(major: Int) throws {
        let cluster = try Self.worked(major)
        let work = try Workplace()
        let directory = cluster.dataDirectory + "/pg_wal"
        let segments = try Self.segments(cluster)
        func expected(_ arguments: [String]) throws -> [String] {
            let files = arguments.contains("-s") ? [] : [segments[0], segments.last!]
            let result = try cluster.installation.run("pg_waldump", ["-p", directory] + arguments + files)
            return try Self.lines(result.output).map { try Self.frame($0) }
        }
        let whole = try work.zenith("wal", "dump", cluster.dataDirectory)
        let all = try expected([])
        #expect(whole.status == 0 && whole.error.contains("WAL ends at"), "\(whole.error)")
        #expect(try Self.lines(whole.output).map(Self.frame) == all)
        let field = #/tx: +(\d+), lsn: ([0-9A-F\/]+), .*INSERT.* rel (\d+\/\d+\/\d+) blk (\d+)/#
        let inserts = all.dropFirst(all.count / 2).lazy.compactMap { $0.firstMatch(of: field)?.output }
        let some = try #require(inserts.first)
        let later = all[all.count * 3 / 4].firstMatch(of: #/lsn: ([0-9A-F\/]+)/#)
        let end = try #require(later).output.1
        let (xid, start, relation, block) = (String(some.1), String(some.2), String(some.3), String(some.4))
        var selections: [([String], [String])] = [
            (["--rmgr", "heap"], ["-r", "Heap"]), (["--xid", xid], ["-x", xid]), (["--limit", "7"], ["-n", "7"]),
            (["--start", start, "--end", String(end)], ["-s", start, "-e", String(end)]),
        ]
        if major >= 15 {
            selections += [
                (["--rel", relation], ["-R", relation]),
                (
                    ["--rel", relation, "--fork", "main", "--block", block],
                    ["-R", relation, "-F", "main", "-B", block]
                ),
                (["--rmgr", "heap,BTREE", "--rmgr", "xlog"], ["-r", "Heap", "-r", "Btree", "-r", "XLOG"]),
            ]
        }
        for (mine, theirs) in selections {
            let found = try work.zenith(["wal", "dump", directory] + mine)
            let wanted = try expected(theirs)
            #expect(found.status == 0 && !wanted.isEmpty, "\(mine): \(found.error)")
            #expect(try Self.lines(found.output).map(Self.frame) == wanted, "\(mine)")
        }
        let json = try Self.lines(work.succeed("wal", "dump", directory, "--json", "--rel", relation)).map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(try json.count == Self.lines(work.succeed("wal", "dump", directory, "--rel", relation)).count)
        let first = try #require(json.first)
        let blocks = try #require(first["blocks"] as? [[String: Any]])
        #expect(blocks.contains { "\($0["relation"] ?? "")" == relation.split(separator: "/").last.map(String.init) })
        #expect(first["lsn"] is String && first["rmgr"] is String && first["type"] is String && first["xid"] is Int)
    }

    @Test("count what pg_waldump counts")
    func statistics() throws {
        let cluster = try Self.worked(17)
        let work = try Workplace()
        let directory = cluster.dataDirectory + "/pg_wal"
        let segments = try Self.segments(cluster)
        let table = try cluster.installation.run(
            "pg_waldump", ["-p", directory, "--stats=record", segments[0], segments.last!]
        ).output
        let json = try JSONSerialization.jsonObject(
            with: Data(work.succeed("wal", "stats", directory, "--record", "--json").utf8))
        let report = try #require(json as? [String: Any])
        let rows = try #require(report["rows"] as? [[String: Any]])
        #expect(rows.count > 80)
        for row in rows {
            let name = "\(row["rmgr"]!)/\(row["type"]!) "
            let line = try #require(table.split(separator: "\n").first { $0.hasPrefix(name) }, "\(name)")
            let numbers = line.dropFirst(name.count).matches(of: #/(\d+) \(/#).map { String($0.1) }
            #expect(["records", "recordBytes", "imageBytes", "totalBytes"].map { "\(row[$0]!)" } == numbers, "\(name)")
        }
        let text = try work.succeed("wal", "stats", directory)
        #expect(text.hasPrefix("TYPE") && text.contains("\nTotal") && text.contains("\(report["totalBytes"]!)"))
    }

    @Test("read any storage, packed or not, name what is missing, and tell the end from damage")
    func storages() throws {
        let cluster = try Self.worked(15)
        let place = try WALWorkplace()
        let work = place.work
        let directory = cluster.dataDirectory + "/pg_wal"
        let all = try Self.lines(work.succeed("wal", "dump", directory))
        let segments = try Self.segments(cluster).prefix(20)
        for segment in segments { try place.succeed("wal-push", "\(directory)/\(segment)") }
        let archived = work.storage + "/wal_005"
        #expect(try FileManager.default.contentsOfDirectory(atPath: archived).count == 20)
        // Three ways of packing, side by side.
        func replace(_ segment: String, _ arguments: [String]) throws {
            try FileManager.default.removeItem(atPath: "\(archived)/\(segment).zst")
            #expect(try run(arguments).status == 0)
        }
        try replace(segments[3], ["cp", "\(directory)/\(segments[3])", archived])
        try replace(segments[4], ["lz4", "-q", "\(directory)/\(segments[4])", "\(archived)/\(segments[4]).lz4"])
        let stored = try work.zenith("wal", "dump", work.storage)
        #expect(stored.status == 0 && stored.error.contains(segments[19]), "\(stored.error)")
        let found = Self.lines(stored.output)
        #expect(found.count > 2000 && found == Array(all.prefix(found.count)))
        #expect(try Self.lines(work.succeed("wal", "dump", archived)) == found)
        // One file, packed and not.
        let one = try work.succeed("wal", "dump", "\(directory)/\(segments[4])")
        #expect(try !one.isEmpty && one == work.succeed("wal", "dump", "\(archived)/\(segments[4]).lz4"))
        #expect(try Self.lines(work.succeed("wal", "dump", "\(directory)/\(segments[3])")).allSatisfy(found.contains))
        // From the middle on.
        let start = try #require(one.firstMatch(of: #/lsn: ([0-9A-F\/]+)/#)?.output.1)
        #expect(
            try Self.lines(work.succeed("wal", "dump", work.storage, "--start", String(start))).first
                == Self.lines(one)[0])
        // In what a switch left unused of a segment.
        let switched = try #require(all.firstIndex { $0.contains("desc: SWITCH") })
        let following = try Self.positions(all[switched + 1]).start
        let unused = String(UInt64(following.dropFirst(2), radix: 16)! / 0x10_0000 * 0x10_0000 - 0x1000, radix: 16)
        let behind = try work.zenith("wal", "dump", directory, "--start", "0/\(unused)", "--limit", "3")
        #expect(behind.status == 0 && Self.lines(behind.output) == Array(all[(switched + 1)...(switched + 3)]))

        let damaged = "\(archived)/\(segments[3])"
        try Self.flip(damaged, at: 500_000)
        let stopped = try work.zenith("wal", "dump", work.storage)
        #expect(stopped.status == 65, "\(stopped.error)")
        let lsn = try #require(stopped.error.firstMatch(of: #/WAL is damaged at ([0-9A-F]+\/[0-9A-F]+)/#)).output.1
        #expect(stopped.error.contains(segments[3]) && lsn.hasPrefix("0/"), "\(stopped.error)")
        let sound = Self.lines(stopped.output)
        #expect(sound.count > 100 && sound == Array(found.prefix(sound.count)))
        try work.fail(["wal", "stats", work.storage], 65, segments[3], "WAL is damaged at \(lsn)")
        try Self.flip(damaged, at: 500_000)

        try FileManager.default.removeItem(atPath: "\(archived)/\(segments[9]).zst")
        try work.fail(["wal", "dump", work.storage], 65, "\(segments[9]) is not there", "but \(segments[10])")
        let bytes = try #require(FileManager.default.contents(atPath: "\(archived)/\(segments[8]).zst"))
        try bytes.dropLast(1000).write(to: URL(fileURLWithPath: "\(archived)/\(segments[8]).zst"))
        try work.fail(["wal", "dump", work.storage], 65, segments[8], "cut short")
        try work.fail(["wal", "dump", cluster.dataDirectory + "/base"], 1, "there is no WAL in")
        try work.fail(["wal", "dump", cluster.dataDirectory + "/PG_VERSION"], 64, "PG_VERSION")
        try work.fail(["wal", "dump", work.storage, "--rmgr", "toast"], 64, "toast", "Btree")
        try work.fail(["wal", "dump", work.storage, "--start", "nowhere"], 64, "nowhere")
    }

    private static func flip(_ path: String, at offset: Int) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[offset] ^= 0x40
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    @Test("follow a timeline from the one that it left")
    func timelines() throws {
        let cluster = try PostgresCluster(
            major: 16, .init(walSegmentMegabytes: 1, configuration: ["wal_keep_size = 1GB", "autovacuum = off"]))
        let work = try Workplace()
        let insert = "create table %s as select n, repeat('x', 100) from generate_series(1, 20000) n"
        for table in ["a", "b", "c"] {
            try cluster.start()
            while try cluster.psql("select pg_is_in_recovery()") != "f" { usleep(50_000) }
            try cluster.psql(insert.replacingOccurrences(of: "%s", with: table))
            try cluster.crash()
            // It recovers, and goes on on a timeline of its own.
            try Data().write(to: URL(fileURLWithPath: cluster.dataDirectory + "/recovery.signal"))
            try cluster.configure(["restore_command = 'false'"])
        }
        let found = try work.zenith("wal", "dump", cluster.dataDirectory)
        #expect(found.status == 0 && found.error.contains("/00000003"), "\(found.error)")
        let records = try Self.lines(found.output).map { try Self.positions($0) }
        #expect(records.count > 3000)
        for (before, after) in zip(records, records.dropFirst()) { #expect(after.previous == before.start) }
        let first = try work.zenith("wal", "dump", cluster.dataDirectory, "--tli", "1", "--json")
        #expect(first.status == 0 && !first.output.isEmpty && first.output.count < found.output.count * 4)
        #expect(!first.error.contains("/00000003"), "\(first.error)")
    }

    /// Where a line's record begins, and the one before.
    private static func positions(_ line: String) throws -> (start: Substring, previous: Substring) {
        func field(_ name: String) throws -> Substring {
            let label = try #require(line.range(of: name), "\(line)")
            return line[label.upperBound...].prefix { $0 != "," }
        }
        return (try field("lsn: "), try field("prev "))
    }
}
