import Foundation
import PostgresFormat
import TestSupport
import Testing
import WALRedo

/// Redo beside PostgreSQL's own pages: a server with `wal_consistency_checking` says after each record how they look.
@Suite("Redo of heaps", .timeLimit(.minutes(15)))
struct HeapRedoTests {
    /// All of a cluster's WAL, record by record.
    static func verify(_ cluster: PostgresCluster) throws -> (
        counts: [ResourceManager: RedoVerifier.Count], compared: [ResourceManager: [UInt8: Int]],
        mismatches: [RedoVerifier.Mismatch]
    ) {
        let size = 1 << 20
        let directory = cluster.dataDirectory + "/pg_wal"
        let segments = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            .compactMap { WALSegment(fileName: $0, size: size) }
        let major = cluster.installation.major
        var reader = WALRecordReader(startingAt: segments[0].startLSN, segmentSize: size, major: major)
        var verifier = RedoVerifier(PageRedo(major: major, logsHints: true))
        reading: for segment in segments {
            let content = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(segment.fileName)"))
            let isOver = content.withUnsafeBytes { content in
                var rest = content
                do {
                    while let record = try reader.next(&rest) { verifier.take(record) }
                } catch { return true }
                return false
            }
            if isOver { break reading }
        }
        return (verifier.counts, verifier.compared, verifier.mismatches)
    }

    static func cluster(_ major: Int, _ lines: [String] = []) throws -> PostgresCluster {
        let cluster = try PostgresCluster(
            major: major,
            .init(
                checksums: true, walSegmentMegabytes: 1,
                configuration: [
                    "wal_consistency_checking = all", "wal_keep_size = 4GB", "max_wal_size = 4GB", "autovacuum = off",
                    "max_prepared_transactions = 5",
                ] + lines))
        try cluster.start()
        return cluster
    }

    private static func work(_ cluster: PostgresCluster) throws {
        try cluster.psql(
            """
            create table t (id int, words text, filler text) with (fillfactor = 70);
            insert into t select i, md5(i::text), repeat('x', i % 100) from generate_series(1, 4000) i;
            checkpoint;
            update t set words = md5(words) where id % 5 = 0;
            update t set filler = filler || 'y' where id % 7 = 0;
            update t set words = null where id % 11 = 0;
            delete from t where id % 3 = 0;
            vacuum t;
            vacuum freeze t;
            insert into t select i, md5(i::text), null from generate_series(1, 3000) i;
            begin; select count(*) from (select * from t where id < 50 for key share) s; savepoint a;
            select count(*) from (select * from t where id < 50 for update) s; update t set words = 'l' where id < 40; commit;
            begin; delete from t where id < 30; rollback;
            vacuum (freeze, disable_page_skipping) t;
            create table parts (id int, words text) partition by range (id);
            create table low partition of parts for values from (0) to (100);
            create table high partition of parts for values from (100) to (1000);
            insert into parts select i, 'p' from generate_series(0, 99) i;
            update parts set id = id + 100 where id % 2 = 0;
            create table unique_words (words text unique);
            insert into unique_words select (i % 50)::text from generate_series(1, 200) i on conflict do nothing;
            create table copied (id int);
            begin; truncate copied; copy copied from program 'seq 1 5000' (freeze); commit;
            create sequence s; select count(nextval('s')) from generate_series(1, 100);
            update pg_class set relpages = relpages where relname = 't';
            analyze t; vacuum full t;
            """)
    }

    @Test("every page after every record", arguments: PostgresInstallation.majors)
    func pages(major: Int) throws {
        for lines in [["wal_level = logical"], [major >= 15 ? "wal_compression = lz4" : "wal_compression = on"]] {
            let cluster = try Self.cluster(major, lines)
            try Self.work(cluster)
            try cluster.crash()
            let (counts, _, mismatches) = try Self.verify(cluster)
            let ours = mismatches.filter { [.heap, .heap2, .sequence].contains($0.manager) }
            #expect(ours.isEmpty, "\(ours.map(\.description).joined(separator: "\n"))")
            for (manager, least) in [(ResourceManager.heap, 4000), (.heap2, 200), (.sequence, 3)] {
                let count = counts[manager] ?? RedoVerifier.Count()
                #expect(count.compared > least && count.mismatched == 0, "\(manager): \(count)")
            }
        }
    }
}
