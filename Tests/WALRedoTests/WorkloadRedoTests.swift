import PostgresFormat
import TestSupport
import Testing
import WALReplay

/// Redo beside PostgreSQL's own pages, of what servers do under other settings and from several sessions.
@Suite("Redo of workloads", .timeLimit(.minutes(10)))
struct WorkloadRedoTests {
    // MARK: - Settings

    /// What a cluster may be set to.
    struct Settings: Sendable, CustomTestStringConvertible {
        let lines: [String]
        var checksums = true
        var since = 14
        var testDescription: String { (lines + (checksums ? [] : ["without checksums"])).joined(separator: ", ") }

        static let all = [
            // Otherwise files of new relations are synced, and not logged.
            Settings(lines: ["wal_level = minimal", "max_wal_senders = 0", "wal_skip_threshold = '1GB'"]),
            Settings(lines: ["wal_level = logical", "wal_compression = on"]),
            Settings(lines: ["full_page_writes = off"]),
            Settings(lines: [], checksums: false),
            Settings(lines: ["wal_log_hints = on", "full_page_writes = off"], checksums: false),
            Settings(lines: ["wal_compression = lz4"], since: 15),
            Settings(lines: ["wal_compression = zstd"], since: 16),
        ]
    }

    private static let work = """
        create table wide (id int primary key, words text) with (toast_tuple_target = 128);
        alter table wide alter words set storage external;
        insert into wide select i, repeat(md5(i::text), 200) from generate_series(1, 100) i;
        checkpoint;
        update wide set words = words || 'x' where id % 3 = 0; delete from wide where id % 5 = 0; vacuum wide;
        select lo_from_bytea(5000, repeat('large', 5000)::bytea); select lo_put(5000, 10, 'small');
        select lo_truncate(lo_open(5000, 393216), 3000); select lo_unlink(5000); vacuum pg_largeobject;

        create table many (id int, words text);
        insert into many select i, 'many' from generate_series(1, 20000) i;
        create index many_id on many (id); cluster many using many_id; checkpoint;
        update many set words = 'more' where id % 50 = 0; vacuum (freeze) many;
        delete from many where id > 5000; vacuum (truncate on) many; vacuum full many;
        begin; truncate many; insert into many select i, 'again' from generate_series(1, 100) i; rollback;
        begin; truncate many; insert into many select i, 'again' from generate_series(1, 100) i; commit;
        insert into many select i, 'last' from generate_series(1, 2000) i; select count(*) from many;

        create table listed (id int, numbers int[]); create index on listed using hash (id);
        create index on listed using gin (numbers) with (fastupdate = off);
        insert into listed select i, array[i % 10, i, i % 300] from generate_series(1, 3000) i; checkpoint;
        insert into listed select i, array[i % 10, i, i % 300] from generate_series(1, 3000) i;
        delete from listed where id % 3 = 0; vacuum listed;
        insert into listed select i, array[i % 10, -i] from generate_series(1, 500) i;

        begin; create table short as select * from many; update short set id = 1; drop table short; commit;

        create unlogged table unlogged (id int primary key, words text);
        insert into unlogged select i, 'u' from generate_series(1, 1000) i; checkpoint; update unlogged set words = 'v';
        create temporary table passing (id int primary key); insert into passing select generate_series(1, 1000);
        alter table unlogged set logged; update unlogged set words = 'w' where id < 200;
        alter table many set unlogged; insert into many values (1, 'unlogged');

        begin; insert into wide values (1000, 'a'); savepoint s; delete from wide where id < 10;
        prepare transaction 'kept';
        begin; update wide set words = 'b' where id = 31; create table prepared (id int); prepare transaction 'dropped';
        rollback prepared 'dropped';
        begin; select * from wide where id = 31 for update; prepare transaction 'done'; commit prepared 'done';

        set allow_in_place_tablespaces = on; create tablespace space location '';
        create table moved (id int primary key) tablespace space; insert into moved select generate_series(1, 1000);
        alter table moved set tablespace pg_default; alter index moved_pkey set tablespace pg_default;
        drop tablespace space; create tablespace kept location '';
        alter table moved set tablespace kept; insert into moved select generate_series(2000, 3000);
        """

    private func work(_ cluster: PostgresCluster) throws {
        try cluster.psql(Self.work)
        let strategies = cluster.installation.major >= 15 ? [" strategy file_copy", " strategy wal_log"] : [""]
        try cluster.psql("create database source")
        try cluster.psql("create table t (id int); insert into t select generate_series(1, 1000)", database: "source")
        for (index, strategy) in strategies.enumerated() {
            try cluster.psql("create database copy\(index) template source" + strategy)
            try cluster.psql("update t set id = 7 where id < 300; vacuum t", database: "copy\(index)")
            try cluster.psql("alter database copy\(index) set tablespace kept")
            try cluster.psql("insert into t values (8)", database: "copy\(index)")
        }
        try cluster.psql("drop database source")
    }

    @Test("every page after every record, and at the end", arguments: Settings.all, [15, 18])
    func settings(settings: Settings, major: Int) throws {
        guard major >= settings.since, !(major == 15 && settings.lines == ["wal_compression = zstd"]) else { return }
        let cluster = try RedoWorkshop.cluster(major, settings.lines, checksums: settings.checksums)
        try work(cluster)
        try cluster.psql("checkpoint; insert into moved values (-1)")
        let end = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
        try cluster.psql("insert into moved values (-2); select pg_switch_wal()")
        try cluster.stop()

        let replay = try RedoWorkshop.replay(cluster, to: end)
        RedoWorkshop.expectAgreement(
            replay.report, [(.heap, 20_000), (.heap2, 300), (.btree, 5000), (.gin, 5000), (.hash, 5000)])
        // No recovery reads what was written with little in it.
        guard !settings.lines.contains("wal_level = minimal") else { return }
        let found = try replay.compare(with: try RedoWorkshop.recover(cluster, to: end))
        #expect(found.faults.isEmpty, "\(found.faults.map(\.description).joined(separator: "\n"))")
        #expect(found.changedPages > 100 && found.preparedTransactions == 1, "\(found)")
    }

    // MARK: - Sessions

    @Test("vacuum, freeze and rewriting while others write", arguments: PostgresInstallation.majors)
    func load(major: Int) async throws {
        let cluster = try RedoWorkshop.cluster(major)
        try cluster.run("pgbench", ["-i", "-q", "-s", "1"])
        try cluster.psql(
            """
            create index on pgbench_accounts (abalance); create index on pgbench_tellers (tbalance);
            create index on pgbench_accounts using hash (abalance);
            create index on pgbench_accounts using gin ((array[abalance, aid % 10])) with (gin_pending_list_limit = 64);
            """)
        async let load = cluster.run("pgbench", ["-n", "-c", "4", "-T", "3"])
        for _ in 0..<3 {
            try cluster.psql("vacuum (freeze) pgbench_tellers; vacuum pgbench_branches; vacuum pgbench_accounts")
            try cluster.psql("select count(*) from pgbench_accounts where abalance = 0; reindex table pgbench_tellers")
            try cluster.psql("vacuum full pgbench_branches; cluster pgbench_tellers using pgbench_tellers_pkey")
            try cluster.psql("create index concurrently h on pgbench_history (delta); vacuum (freeze) pgbench_history")
            try cluster.psql("drop index h; checkpoint")
        }
        _ = try await load
        try cluster.psql("checkpoint; insert into pgbench_history values (1, 1, 1, 1)")
        let end = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
        try cluster.psql("select pg_switch_wal()")
        try cluster.crash()
        let replay = try RedoWorkshop.replay(cluster, to: end)
        RedoWorkshop.expectAgreement(
            replay.report, [(.heap, 1000), (.heap2, 50), (.btree, 200), (.gin, 100), (.hash, 100)])
        let found = try replay.compare(with: try RedoWorkshop.recover(cluster, to: end))
        #expect(found.faults.isEmpty, "\(found.faults.map(\.description).joined(separator: "\n"))")
        #expect(found.changedPages > 1000 && found.logPages > 0, "\(found)")
    }

    // MARK: - Transaction state

    /// Transactions, sets of them and the members of sets just before a segment ends; those of sets before numbers begin
    /// again.
    private static func nearEnds(_ cluster: PostgresCluster) throws {
        try cluster.installation.check(
            "pg_resetwal",
            [
                "-D", cluster.dataDirectory, "-x", "1048280", "-m", "4294967200,4294967100", "-O", "4294967000",
            ])
        let size = Page.size * SLRUSegment.pages
        for name in ["pg_xact/0000", "pg_multixact/offsets/FFFF", "pg_multixact/members/14078"] {
            try cluster.installation.check("/usr/bin/truncate", ["-s", "\(size)", cluster.dataDirectory + "/" + name])
        }
        // Its checkpoint is of wal_level minimal.
        try cluster.start()
        try cluster.stop()
    }

    @Test("numbers that go round, and what is truncated behind them", arguments: PostgresInstallation.majors)
    func truncation(major: Int) throws {
        let cluster = try RedoWorkshop.plainCluster(
            major, ["wal_keep_size = 1GB", "autovacuum = off", "track_commit_timestamp = on"], prepare: Self.nearEnds)
        let sets = """
            insert into t select i, 0 from generate_series(1, 10) i on conflict do nothing;
            do $$ begin
                perform * from t where id = 1 for key share;
                for n in 1..300 loop begin
                    perform * from t where id = 1 for share; update t set n = 1 where id = 2;
                    if n % 3 = 0 then raise exception 'undone'; end if;
                exception when others then null; end; end loop;
            end $$;
            """
        try cluster.psql("create table t (id int primary key, n int);" + sets + "checkpoint;" + sets)
        try cluster.psql("update pg_database set datallowconn = true")
        for _ in 0..<2 {
            for database in ["template0", "template1", "postgres"] {
                try cluster.psql("vacuum freeze", database: database)
            }
            try cluster.psql(sets)
        }
        let end = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
        try cluster.psql("insert into t values (-2, 0); select pg_switch_wal()")
        try cluster.stop()

        var truncations: Set<ResourceManager> = []
        try RedoWorkshop.forEachRecord(cluster, to: end) { record in
            switch (record.manager, record.operation) {
            case (.clog, 0x10), (.multiXact, 0x30), (.commitTimestamp, 0x10): truncations.insert(record.manager)
            default: break
            }
        }
        #expect(truncations == [.clog, .multiXact, .commitTimestamp])
        let replay = try RedoWorkshop.replay(cluster, to: end)
        #expect(replay.report.isSound, "\(replay.report.faults)")
        let found = try replay.compare(with: try RedoWorkshop.recover(cluster, to: end))
        #expect(found.faults.isEmpty, "\(found.faults.map(\.description).joined(separator: "\n"))")
        #expect(found.logPages > 3, "\(found)")
        let promoted = try RedoWorkshop.promote(cluster, to: end)
        let numbers = try #require(replay.control).differences(from: promoted.control)
        #expect(numbers.differences.isEmpty && numbers.compared == 10, "\(numbers)")
    }
}
