import PostgresFormat
import TestSupport
import Testing

@Suite("Redo of BRIN indexes and generic records", .timeLimit(.minutes(10)))
struct BRINRedoTests {
    /// Revmaps that grow over tuples, updates in place and to other pages, ranges that are summarized and no longer are.
    private static let work = """
        create table t (id int, words text) with (fillfactor = 10);
        create index ranges on t using brin (id, words) with (pages_per_range = 1);
        insert into t select i, repeat('a', i % 50) from generate_series(1, 9000) i;
        select brin_summarize_new_values('ranges');
        insert into t select i * 7, repeat(chr(97 + i % 20), 300) from generate_series(1, 3000) i;
        vacuum t;
        select brin_desummarize_range('ranges', i) from generate_series(0, 300, 3) i;
        select brin_summarize_range('ranges', i) from generate_series(0, 300, 6) i;
        update t set id = -id, words = words || repeat('z', 200) where id % 9 = 0;
        vacuum t;
        create extension bloom;
        create table b (x int, y int);
        create index blooms on b using bloom (x, y);
        insert into b select i, i % 77 from generate_series(1, 6000) i;
        delete from b where x % 3 = 0;
        vacuum b;
        insert into b select i, i % 77 from generate_series(1, 3000) i;
        """

    @Test("every page after every record", arguments: PostgresInstallation.majors)
    func pages(major: Int) throws {
        let cluster = try RedoWorkshop.cluster(major)
        try cluster.psql(Self.work)
        try cluster.crash()
        // Insertion, update to another page and in place, growth of the map of ranges, ranges that are given up.
        try RedoWorkshop.expectAgreement(
            cluster, [(.brin, 100), (.generic, 100)], operations: [0x10, 0x20, 0x30, 0x40, 0x50])
        try RedoWorkshop.fuzz(manager: .brin, of: cluster, seed: UInt64(major))
    }
}
