import PostgresFormat
import TestSupport
import Testing

@Suite("Redo of heaps", .timeLimit(.minutes(15)))
struct HeapRedoTests {
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
            let cluster = try RedoWorkshop.cluster(major, lines)
            try Self.work(cluster)
            try cluster.crash()
            try RedoWorkshop.expectAgreement(cluster, [(.heap, 4000), (.heap2, 200), (.sequence, 3)])
            try RedoWorkshop.fuzz(manager: .heap, of: cluster, seed: UInt64(major))
            try RedoWorkshop.fuzz(manager: .heap2, of: cluster, seed: UInt64(major))
        }
    }
}
