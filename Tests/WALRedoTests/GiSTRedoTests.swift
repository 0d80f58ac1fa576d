import PostgresFormat
import TestSupport
import Testing

/// Redo beside PostgreSQL's own pages, of GiST indexes.
@Suite("Redo of GiST indexes", .timeLimit(.minutes(15)))
struct GiSTRedoTests {
    private static func work(_ cluster: PostgresCluster) throws {
        try cluster.psql(
            """
            set wal_consistency_checking = gist;
            -- Pages split; what is deleted leaves empty ones, which go and are used again.
            create table areas (id int, area box, place point, span int4range, host inet);
            create index on areas using gist (area);
            create index on areas using gist (place);
            create index on areas using gist (span);
            create index on areas using gist (host inet_ops);
            create function fill(first int, last int) returns void language sql as $$
                insert into areas select i, box(point(i % 90, i / 90), point(i % 90 + 2, i / 90 + i % 3)),
                    point(i / 70, i % 70), int4range(i, i + i % 9), '10.0.0.0'::inet + i * 37
                    from generate_series(first, last) i $$;
            select fill(1, 1500);
            checkpoint;
            select fill(1501, 3000);
            delete from areas where id % 5 = 0;
            vacuum areas;
            delete from areas where id between 300 and 2700;
            vacuum areas;
            select txid_current();
            vacuum areas;
            select fill(300, 1800);

            -- Long keys: few in a page, so that there are many levels, and pages split into more than two.
            create table documents (id int, words tsvector);
            create index on documents using gist (words tsvector_ops (siglen = 1800));
            insert into documents select i, to_tsvector('simple', (select string_agg('w' || (i * n) % 997, ' ')
                from generate_series(1, 3 + i % 40) n)) from generate_series(1, 700) i;
            update documents set words = words || 'new' where id % 7 = 0;
            delete from documents where id % 3 = 0;
            vacuum documents;

            -- Found dead by who reads, and removed as the page is full.
            set enable_seqscan = off; set enable_bitmapscan = off;
            create table seen (id int, area box);
            create index on seen using gist (area);
            insert into seen select i, box(point(i, 1), point(i + 1, 2)) from generate_series(1, 3000) i;
            delete from seen where id % 2 = 0;
            select count(*) from seen where area && box(point(-1, -1), point(9000, 10));
            insert into seen select i, box(point(i, 1), point(i + 1, 2)) from generate_series(1, 3000) i;

            -- Made for rows that are there already, by way of buffers and by sorting, and then added to.
            create table made as select i as id, box(point(i % 90, i / 90), point(i % 90 + 1, i / 90)) as area,
                point(i, i % 10) as place from generate_series(1, 6000) i;
            create index on made using gist (area) with (buffering = on);
            create index on made using gist (place);
            insert into made select i, box(point(i % 90, i / 90), point(i % 90 + 1, i / 90)), point(i, 3)
                from generate_series(1, 1500) i;
            create table held (id int, span int4range, exclude using gist (span with &&));
            insert into held select i, int4range(i * 10, i * 10 + 5) from generate_series(1, 500) i;
            create unlogged table unlogged_areas (area box);
            create index on unlogged_areas using gist (area);
            insert into unlogged_areas select box(point(i, 1), point(i, 2)) from generate_series(1, 500) i;
            """)
    }

    @Test("every page after every record", arguments: PostgresInstallation.majors)
    func pages(major: Int) throws {
        let cluster = try RedoWorkshop.cluster(major)
        try Self.work(cluster)
        try cluster.crash()
        // Update of a page, removal of dead tuples, split, deletion of a page.
        try RedoWorkshop.expectAgreement(cluster, [(.gist, 10_000)], operations: [0x00, 0x10, 0x30, 0x60])
        // Pages that were deleted are used again: that is for those who read at a standby.
        #expect(try Self.recordsWithoutPage(cluster, operation: 0x20) > 0)
        try GiSTSequenceNumbers.expectAgreement(cluster)
        try RedoWorkshop.fuzz(manager: .gist, of: cluster, seed: 0x615)
    }

    @Test("records that name no page", arguments: PostgresInstallation.majors)
    func noPage(major: Int) throws {
        // What is not logged takes an LSN at a split, where nothing else has.
        let cluster = try RedoWorkshop.cluster(major, ["wal_level = minimal", "max_wal_senders = 0"])
        try cluster.psql(
            """
            begin;
            create table areas (area box);
            create index on areas using gist (area);
            insert into areas select box(point(i % 50, i), point(i % 50 + 1, i)) from generate_series(1, 3000) i;
            commit;
            """)
        try cluster.crash()
        #expect(try Self.recordsWithoutPage(cluster, operation: 0x70) > 0)
    }

    private static func recordsWithoutPage(_ cluster: PostgresCluster, operation: UInt8) throws -> Int {
        var count = 0
        try RedoWorkshop.forEachRecord(cluster) { record in
            guard record.manager == .gist, record.operation == operation, record.blocks.isEmpty else { return }
            count += 1
        }
        return count
    }

    @Test("what no server writes", arguments: [0x615, 0x9_1507] as [UInt64])
    func hostile(seed: UInt64) { RedoWorkshop.fuzz(manager: .gist, major: 18, seed: seed) }
}
