import PostgresFormat
import TestSupport
import Testing

/// Redo beside PostgreSQL's own pages, of hash indexes.
@Suite("Redo of hash indexes", .timeLimit(.minutes(15)))
struct HashRedoTests {
    private static func work(_ cluster: PostgresCluster) throws {
        try cluster.psql(
            """
            -- Buckets split, and those of equal keys overflow.
            create table keys (id int, key int);
            create index on keys using hash (key) with (fillfactor = 10);
            insert into keys select i, i from generate_series(1, 1500) i;
            insert into keys select i, i % 3 from generate_series(1, 4500) i;
            checkpoint;
            insert into keys select i, i from generate_series(1501, 2500) i;
            -- What is left is moved together, and pages are given back.
            delete from keys where key < 3 and id % 4 <> 0 or id % 5 = 0;
            vacuum keys;
            insert into keys select i, i from generate_series(2501, 3200) i;
            insert into keys select i, i % 2 from generate_series(1, 1500) i;
            vacuum keys;
            delete from keys;
            vacuum keys;

            -- Found dead by who reads, and removed as the page is full.
            set enable_seqscan = off; set enable_bitmapscan = off;
            create table seen (id int, key int);
            create index on seen using hash (key);
            insert into seen select i, 1 from generate_series(1, 900) i;
            delete from seen where id % 2 = 0;
            select count(*) from seen where key = 1;
            insert into seen select i, 1 from generate_series(1, 700) i;

            -- Made for rows that are there already.
            create table made as select i as key from generate_series(1, 12000) i;
            create index on made using hash (key);
            create unlogged table unlogged_keys (key int);
            create index on unlogged_keys using hash (key);
            """)
    }

    @Test("every page after every record", arguments: PostgresInstallation.majors)
    func pages(major: Int) throws {
        let cluster = try RedoWorkshop.cluster(major)
        try Self.work(cluster)
        try cluster.crash()
        // All but the one that is always an image.
        try RedoWorkshop.expectAgreement(
            cluster, [(.hash, 10_000)],
            operations: stride(from: UInt8(0x00), through: 0xC0, by: 0x10).filter { $0 != 0x50 })
        try RedoWorkshop.fuzz(manager: .hash, of: cluster, seed: UInt64(major))
    }
}
