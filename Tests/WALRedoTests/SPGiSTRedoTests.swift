import PostgresFormat
import TestSupport
import Testing

/// Redo beside PostgreSQL's own pages, of SP-GiST indexes.
@Suite("Redo of SP-GiST indexes", .timeLimit(.minutes(15)))
struct SPGiSTRedoTests {
    private static func work(_ cluster: PostgresCluster) throws {
        try cluster.psql(
            """
            set wal_consistency_checking = spgist;
            -- Small enough for the root to be a leaf, of values and of nulls.
            create table few (id int, place point);
            create index on few using spgist (place);
            insert into few select i, case when i % 3 > 0 then point(i, i) end from generate_series(1, 60) i;
            delete from few where id % 2 = 0;
            vacuum few;

            -- Points in quarters and halves, many of them the same.
            create table places (id int, place point);
            create index on places using spgist (place);
            create index on places using spgist (place kd_point_ops);
            create function fill(first int, last int) returns void language sql as $$
                insert into places select i, case when i % 11 = 0 then null when i % 5 = 0 then point(7, 7)
                    else point(i * 7919 % 1009, i * 104729 % 997) end from generate_series(first, last) i $$;
            select fill(1, 2500);
            checkpoint;
            select fill(2501, 4000);
            delete from places where id % 3 = 0;
            vacuum places;
            select fill(4001, 5000);
            -- Whole chains go, and begin anew.
            delete from places where place <@ box(point(0, 0), point(400, 400));
            vacuum places;
            select fill(5001, 8000);
            delete from places where id % 7 <> 0;
            vacuum places;
            select txid_current();
            vacuum places;

            -- Words with long beginnings in common, which are split where a word leaves them, and letters of all kinds.
            create table words (id int, word text);
            create index on words using spgist (word);
            insert into words select i, repeat('common', 20) || md5(i::text) from generate_series(1, 400) i;
            insert into words select i, left(repeat('common', 20), i) || chr(200 + i) || md5(i::text)
                from generate_series(1, 115) i;
            insert into words select i, chr(33 + i % 3000) || chr(33 + i * 7 % 900) || md5(i::text)
                from generate_series(1, 6000) i;
            insert into words select i, 'same' from generate_series(1, 500) i;
            insert into words select i, repeat(md5((i % 40)::text), 30) || i from generate_series(1, 600) i;
            delete from words where id % 4 <> 0;
            vacuum words;
            select txid_current();
            vacuum words;
            insert into words select i, chr(33 + i % 90) || md5(i::text) from generate_series(1, 1500) i;

            -- Nothing but a dead tuple is left of some chains, in pages that have no room for a longer one.
            create table chains (id int, word text);
            create index on chains using spgist (word);
            insert into chains select i, chr(200 + i % 100) || md5(i::text) from generate_series(1, 400) i;
            delete from chains where ascii(word) % 3 = 0;
            vacuum chains;
            insert into chains select i, chr(200 + i % 100) || md5(i::text) from generate_series(1, 600) i
                where (200 + i % 100) % 3 > 0;
            insert into chains select i, chr(200 + i) || repeat(md5(i::text), 20) from generate_series(1, 97, 3) i;
            -- Longer than a page: what is left of it without its beginning has a page of its own.
            insert into chains select i, chr(10000 + i) || repeat(md5(i::text), 400) from generate_series(1, 6) i;

            create table hosts (id int, host inet, span int4range, area box);
            create index on hosts using spgist (host);
            create index on hosts using spgist (span);
            create index on hosts using spgist (area);
            insert into hosts select i, set_masklen('10.0.0.0'::inet + i * 7919 % 100000, 8 + i % 25),
                int4range(i % 300, i % 300 + i % 7),
                box(point(i % 90, i / 90), point(i % 90 + 2, i / 90 + i % 3))
                from generate_series(1, 3000) i;
            delete from hosts where id % 2 = 0;
            vacuum hosts;
            insert into hosts select i, set_masklen('fe80::'::inet + i, 128 - i % 64), 'empty',
                box(point(i % 90, i / 90), point(i % 90 + 2, i / 90 + i % 3)) from generate_series(1, 1000) i;

            -- Made for rows that are there already.
            create table made as select i as id, point(i % 100, i / 100) as place from generate_series(1, 6000) i;
            create index on made using spgist (place) include (id);
            insert into made select i, point(i % 100, i / 100) from generate_series(1, 1500) i;
            create unlogged table unlogged_places (place point);
            create index on unlogged_places using spgist (place);
            """)
    }

    @Test("every page after every record", arguments: PostgresInstallation.majors)
    func pages(major: Int) throws {
        let cluster = try RedoWorkshop.cluster(major)
        try Self.work(cluster)
        try cluster.crash()
        try RedoWorkshop.expectAgreement(
            cluster, [(.spgist, 10_000)], operations: Array(stride(from: 0x10, through: 0x80, by: 0x10)))
        try SPGiSTShapes.expectAll(cluster)
        try RedoWorkshop.fuzz(manager: .spgist, of: cluster, seed: 0x5615)
    }

    @Test("what no server writes", arguments: [0x5615, 0x7_0913] as [UInt64])
    func hostile(seed: UInt64) { RedoWorkshop.fuzz(manager: .spgist, major: 18, seed: seed) }
}
