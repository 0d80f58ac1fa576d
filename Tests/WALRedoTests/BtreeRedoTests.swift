import PostgresFormat
import TestSupport
import Testing

/// Redo beside PostgreSQL's own pages, of B-trees.
@Suite("Redo of B-trees", .timeLimit(.minutes(15)))
struct BtreeRedoTests {
    private static func work(_ cluster: PostgresCluster) throws {
        try cluster.psql(
            """
            -- Few keys fit into a page: several levels, whose pages split and go.
            create table wide (id int, words text);
            alter table wide alter words set storage external;
            create index on wide (words);
            insert into wide select i, rpad(md5(i::text), 900, 'x') from generate_series(1, 1500) i;
            delete from wide where words > '2' and words < 'e';
            vacuum wide;
            insert into wide select i, rpad(md5(i::text), 900, 'x') from generate_series(1, 300) i;
            vacuum wide;
            insert into wide select i, rpad(md5(i::text), 900, 'x') from generate_series(1501, 1900) i;

            -- All but one leaf go: it is the fast root, and then splits.
            create table shrunk (id int primary key);
            insert into shrunk select generate_series(1, 2500);
            delete from shrunk where id < 2490;
            vacuum shrunk;
            insert into shrunk select generate_series(2501, 3500);
            vacuum shrunk;

            -- Equal keys are merged; rows in places used before split what was merged.
            create table equals (id int, kind int, filler text);
            create index on equals (kind);
            insert into equals select i, i % 7, 'x' from generate_series(1, 4000) i;
            delete from equals where id % 3 = 0;
            vacuum equals;
            insert into equals select i, (i * 31) % 7, 'y' from generate_series(1, 2500) i;
            delete from equals where id % 4 = 0;
            vacuum equals;
            insert into equals select i, (i * 17) % 5, 'z' from generate_series(1, 1500) i;

            -- New rows between all those of full leaves: these split amid a list of rows.
            create table halves (kind int);
            create index on halves (kind);
            insert into halves select i % 2 from generate_series(1, 4000) i;
            delete from halves where kind = 0;
            vacuum halves;
            insert into halves select 1 from generate_series(1, 2000);

            -- Versions of the same rows: deleted from leaves before they would split.
            create table versions (id int primary key, kind int, counter int);
            create index on versions (counter);
            create index on versions (kind);
            insert into versions select i, i % 10, 0 from generate_series(1, 300) i;
            do $$ begin for n in 1..12 loop update versions set counter = n; commit; end loop; end $$;

            -- Found dead by who reads.
            set enable_seqscan = off; set enable_bitmapscan = off;
            create table seen (id int, kind int);
            create unique index on seen (id);
            create index on seen (kind);
            insert into seen select i, i % 3 from generate_series(1, 800) i;
            delete from seen where id % 2 = 0;
            select count(*) from seen where id > 0;
            select count(*) from seen where kind >= 0;
            insert into seen select i * 2, i % 3 from generate_series(1, 400) i;
            insert into seen select i + 800, i % 3 from generate_series(1, 400) i;
            """)
    }

    @Test("every page after every record", arguments: PostgresInstallation.majors)
    func pages(major: Int) throws {
        let cluster = try RedoWorkshop.cluster(major)
        try Self.work(cluster)
        try cluster.crash()
        // All but the one that changes no page.
        try RedoWorkshop.expectAgreement(
            cluster, [(.btree, 10_000)],
            operations: stride(from: UInt8(0x00), through: 0xE0, by: 0x10).filter { $0 != 0xD0 })
        try RedoWorkshop.fuzz(manager: .btree, of: cluster, seed: UInt64(major))
    }
}
