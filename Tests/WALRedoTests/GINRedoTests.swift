import TestSupport
import Testing

@testable import PostgresFormat
@testable import WALRedo

/// Redo beside PostgreSQL's own pages, of GIN indexes.
@Suite("Redo of GIN indexes", .timeLimit(.minutes(15)))
struct GINRedoTests {
    private static func work(_ cluster: PostgresCluster) throws {
        try cluster.psql(
            """
            set wal_consistency_checking = gin;
            -- A pending list of more pages than one, which is moved at its limit, by hand and by vacuum.
            create table pending (id int, tags int[], doc jsonb, words tsvector);
            create index on pending using gin (tags) with (fastupdate = on, gin_pending_list_limit = 64);
            create index by_doc on pending using gin (doc jsonb_ops)
                with (fastupdate = on, gin_pending_list_limit = 128);
            create index by_path on pending using gin (doc jsonb_path_ops) with (fastupdate = on);
            create index by_words on pending using gin (words) with (fastupdate = on);
            do $$ begin for n in 1..1500 loop
                insert into pending values (
                    n, array[n % 5, n, n * 7], jsonb_build_object('k' || n % 40, n, 'all', true),
                    to_tsvector('simple', 'all w' || n || ' w' || n % 30));
            end loop; end $$;
            select gin_clean_pending_list('by_doc');
            checkpoint;
            insert into pending select n, array[n % 9, -n],
                jsonb_build_object('z' || n, null, 'deep', array[n, n % 3]), to_tsvector('simple', 'few v' || n % 7) from generate_series(1, 600) n;
            select gin_clean_pending_list('by_words');
            vacuum pending;
            -- One row's tuples take more than a page.
            insert into pending select 0, (select array_agg(i) from generate_series(1, 3000) i);
            insert into pending values (null, null, null, null), (1, '{}', '{}', '');
            vacuum pending;

            -- Long keys: the tree of entries has several levels, all of whose pages split.
            create function key(id int, size int) returns text language sql
                as $$ select string_agg(md5(id || ' ' || n), '') from generate_series(1, size / 32) n $$;
            create table wide (id int, keys text[]);
            create index on wide using gin (keys) with (fastupdate = off);
            insert into wide select i, array[key(i, 900), 'same'] from generate_series(1, 1200) i;
            checkpoint;
            insert into wide select i, array[key(i, 900), 'same', 'other' || i % 3] from generate_series(1201, 1500) i;
            delete from wide where id % 3 = 0;
            vacuum wide;
            insert into wide select i, array[key(i, 300), 'same'] from generate_series(1501, 1800) i;

            -- A few keys in many rows: their posting trees have several pages.
            create table dense (id int, keys int[]);
            insert into dense select i, array[i % 2, 7] from generate_series(1, 60000) i;
            create index on dense using gin (keys) with (fastupdate = off);
            -- Rows here and there go, and new ones come into their places: segments change.
            delete from dense where id % 5 = 0 and id < 5000 or id % 400 = 3;
            vacuum dense;
            insert into dense select i, array[i % 2, 7] from generate_series(1, 2500) i;
            -- Whole pages of posting trees go.
            delete from dense where ctid >= '(60,0)' and ctid < '(200,0)';
            vacuum dense;
            insert into dense select i, array[i % 3, 7] from generate_series(1, 1000) i;
            delete from dense where id % 7 <> 0;
            vacuum dense;
            delete from dense;
            vacuum dense;
            insert into dense select i, array[i % 2, 7] from generate_series(1, 1000) i;

            -- The same by way of the pending list: many rows at once, whose pages split.
            create table batches (id int, keys int[]);
            create index batched on batches using gin (keys) with (fastupdate = on, gin_pending_list_limit = 65536);
            insert into batches select i, array[i % 2, 7, 9 + i % 3] from generate_series(1, 8000) i;
            vacuum batches;
            set wal_consistency_checking = '';
            insert into batches select i, array[i % 2, 7, 9 + i % 3] from generate_series(1, 40000) i;
            set wal_consistency_checking = gin;
            select gin_clean_pending_list('batched');
            delete from batches where id % 4 = 1 and id < 20000;
            vacuum batches;
            set wal_consistency_checking = '';
            insert into batches select i, array[7, 7, 12] from generate_series(1, 9000) i;
            set wal_consistency_checking = gin;
            select gin_clean_pending_list('batched');

            -- Made for rows that are there already.
            create table made as select i, array[i % 4, i] as keys from generate_series(1, 6000) i;
            create index on made using gin (keys);
            create unlogged table unlogged_keys (keys int[]);
            create index on unlogged_keys using gin (keys);
            """)
    }

    @Test("every page after every record", arguments: PostgresInstallation.majors)
    func pages(major: Int) throws {
        let cluster = try RedoWorkshop.cluster(major)
        try Self.work(cluster)
        try cluster.crash()
        // All but the two that are always images; of a split, it is the child whose flag goes.
        try RedoWorkshop.expectAgreement(
            cluster, [(.gin, 10_000)],
            operations: stride(from: UInt8(0x10), through: 0x90, by: 0x10).filter { $0 != 0x40 })
        try RedoWorkshop.fuzz(manager: .gin, of: cluster, seed: UInt64(major))
    }

    // MARK: - What a server does not show

    /// - Parameters:
    ///   - flags: Of the page.
    ///   - contents: From `GINPage.dataStart` on.
    private static func withLeaf(
        flags: UInt16, maxOffset: UInt16, contents: [UInt8], _ body: (GINPage) throws -> Void
    ) rethrows {
        let bytes = GuardedBytes(Page.size)
        let leaf = GINPage.make(RedoPage(bytes.bytes.baseAddress!), flags: flags)
        leaf.maxOffset = maxOffset
        for (index, byte) in contents.enumerated() { leaf.page.store(byte, GINPage.dataStart + index) }
        try body(leaf)
    }

    private static func apply(
        _ operation: UInt8, main: [UInt8] = [], data: [UInt8] = [], to page: RedoPage
    ) throws -> PageRedo.Outcome {
        try main.withUnsafeBytes { main in
            try data.withUnsafeBytes { data in
                let block = WALBlockReference(
                    id: 0, fork: .main, relation: RelationLocator(tablespace: 1663, database: 1, relation: 1), block: 2,
                    initializes: false, image: nil, data: data)
                return try RedoWorkshop.withRecord(.gin, info: operation, main, [block]) { record in
                    try PageRedo(major: 18, logsHints: true).apply(record, 0, to: page)
                }
            }
        }
    }

    /// The comparison with a server's pages passes over it.
    @Test("a deleted page says since when")
    func deletedPage() throws {
        let leaf = GINPage.Flag.data | GINPage.Flag.leaf | GINPage.Flag.compressed
        try Self.withLeaf(flags: leaf, maxOffset: 0, contents: []) { gin in
            let record: [UInt8] = [1, 0, 0, 0, 9, 0, 0, 0, 0x78, 0x56, 0x34, 0x12]
            let outcome = try Self.apply(GINRedo.Operation.deletePage, main: record, to: gin.page)
            #expect(outcome == .changed)
            #expect(gin.flags == leaf | GINPage.Flag.deleted)
            #expect(gin.page.pruneXid == 0x1234_5678)
        }
    }

    /// Of before 9.4: `pg_upgrade` has left them as they were.
    @Test("a leaf of plain rows is compressed as it changes", arguments: [3, 0])
    func plainLeaf(rows: Int) throws {
        // (0,1), (0,3), (1,1)
        let old: [[UInt8]] = [[0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 3, 0], [0, 0, 1, 0, 1, 0]]
        try Self.withLeaf(
            flags: GINPage.Flag.data | GINPage.Flag.leaf, maxOffset: UInt16(rows), contents: old[..<rows].flatMap { $0 }
        ) { gin in
            let new: [UInt8] = [0, 0, 0, 0, 2, 0]
            // (0,2) is added to the segment, with one that is there already; or is one of its own.
            let actions: [UInt8] = rows > 0 ? [1, 0, 0, 4, 2, 0] + new + old[1] : [1, 0, 0, 2] + new + [0, 0]
            let expected: [UInt8] = rows > 0 ? old[0] + [4, 0, 1, 1, 0xFE, 0x0F] : new + [0, 0]
            let outcome = try Self.apply(GINRedo.Operation.vacuumDataLeaf, data: actions, to: gin.page)
            #expect(outcome == .changed)
            #expect(gin.flags == GINPage.Flag.data | GINPage.Flag.leaf | GINPage.Flag.compressed)
            #expect(gin.maxOffset == 0)
            #expect(gin.page.lower == GINPage.dataStart + expected.count)
            #expect(expected.indices.map { gin.page.load(GINPage.dataStart + $0, UInt8.self) } == expected)
        }
    }
}
