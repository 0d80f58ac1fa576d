import Foundation
import TestSupport
import Testing

/// `zenith wal verify`, as people call it.
@Suite("wal verify", .timeLimit(.minutes(10)))
struct WALVerifyTests {
    /// A cluster that has written with consistency images and was shut down, and a copy from before.
    private static func worked(_ more: [String] = []) throws -> (cluster: PostgresCluster, base: String) {
        let lines = ["wal_consistency_checking = all", "wal_keep_size = 1GB", "autovacuum = off"] + more
        let cluster = try PostgresCluster(major: 16, .init(walSegmentMegabytes: 1, configuration: lines))
        let base = cluster.directory + "/base"
        _ = try TestSupport.run(["cp", "-a", cluster.dataDirectory, base])
        try cluster.start()
        try cluster.psql(
            """
            create table t (id int primary key, words text);
            insert into t select i, repeat('x', i % 90) from generate_series(1, 5000) i;
            update t set words = 'y' where id % 7 = 0; delete from t where id % 3 = 0; vacuum t;
            create table gone as select * from t; drop table gone;
            """)
        try cluster.stop()
        return (cluster, base)
    }

    private static func json(_ output: String) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
    }

    @Test("a data directory, a snapshot in a storage, and WAL that ends where it is told")
    func sound() throws {
        let (cluster, base) = try Self.worked()
        let work = try Workplace()
        let text = try work.zenith("wal", "verify", base, cluster.dataDirectory)
        #expect(
            text.status == 0 && text.output.contains("no mismatch") && text.error.contains("WAL ends at"), "\(text)")
        let whole = try Self.json(work.succeed("wal", "verify", base, cluster.dataDirectory, "--json"))
        let rows = try #require(whole["rows"] as? [[String: Any]])
        let heap = try #require(rows.first { $0["rmgr"] as? String == "Heap" })
        #expect(heap["compared"] as? Int ?? 0 > 5000 && heap["mismatched"] as? Int == 0, "\(heap)")
        #expect(whole["checkpoints"] as? Int == 2)  // that of initdb, which the base begins with, and the last one
        let types = try #require(whole["types"] as? [String: Int])
        #expect(types["Heap/INSERT"] ?? 0 > 1000 && types["Btree/INSERT_LEAF"] ?? 0 > 1000, "\(types)")

        // The base as a snapshot: the same records, the same pages.
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", base, "--snapshot-format", "pgdata")
        let repository = work.path + "/repository"
        try work.succeed("export", "--snapshot-path", repository)
        let snapshot = try Self.json(work.succeed("wal", "verify", repository, cluster.dataDirectory, "--json"))
        #expect(
            snapshot["records"] as? Int == whole["records"] as? Int && snapshot["rows"] as? NSArray == rows as NSArray)

        let lines = try work.succeed("wal", "dump", cluster.dataDirectory, "--rmgr", "btree", "--limit", "1")
        let middle = try #require(lines.firstMatch(of: #/lsn: ([0-9A-F\/]+)/#)).output.1
        let part = try Self.json(
            work.succeed("wal", "verify", base, cluster.dataDirectory, "--json", "--end", String(middle)))
        #expect(part["records"] as? Int ?? .max < whole["records"] as? Int ?? 0 && part["endLSN"] == nil, "\(part)")
    }

    @Test("a base that the WAL does not fit, with the record, the page and the bytes")
    func mismatch() throws {
        let (cluster, base) = try Self.worked(["full_page_writes = off"])
        let work = try Workplace()
        // As the server never saw it: the first page of pg_class has other content from here on.
        let path = try #require(
            FileManager.default.contentsOfDirectory(atPath: base + "/base/5").first { $0 == "1259" })
        let file = try #require(FileHandle(forUpdatingAtPath: "\(base)/base/5/\(path)"))
        for block in 0..<UInt64(try file.seekToEnd() / 8192) {
            try file.seek(toOffset: block * 8192 + 8100)
            try file.write(contentsOf: Data([0x5A, 0xA5]))
        }
        try file.close()
        let result = try work.zenith("wal", "verify", base, cluster.dataDirectory)
        #expect(result.status == 65, "\(result)")
        let line = #/Heap2?/[A-Z_+]+ at 0\/[0-9A-F]+, 1663\/5\/1259 block \d+: byte 8100 is 5a and not [0-9a-f]{2}/#
        #expect(result.output.contains(line), "\(result.output)")
    }

    @Test("what is no base, and what does not belong together, is refused")
    func refused() throws {
        let (cluster, base) = try Self.worked()
        let work = try Workplace()
        let empty = work.path + "/empty"
        try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
        let nothing = try work.zenith("wal", "verify", empty, cluster.dataDirectory)
        #expect(nothing.status != 0 && !nothing.error.isEmpty, "\(nothing)")
        let usage = try work.zenith("wal", "verify", base, cluster.dataDirectory, "--snapshot", "LATEST")
        #expect(usage.status == 64 && usage.error.contains("--snapshot"), "\(usage)")
        try Data("99999\n".utf8).write(to: URL(fileURLWithPath: base + "/postmaster.pid"))
        let running = try work.zenith("wal", "verify", base, cluster.dataDirectory)
        #expect(running.status == 1 && running.error.contains("postmaster.pid"), "\(running)")
        try FileManager.default.removeItem(atPath: base + "/postmaster.pid")
        try Data("15\n".utf8).write(to: URL(fileURLWithPath: base + "/PG_VERSION"))
        let other = try work.zenith("wal", "verify", base, cluster.dataDirectory)
        #expect(other.status == 65, "\(other)")
    }
}
