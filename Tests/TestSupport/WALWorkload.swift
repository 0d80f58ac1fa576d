/// Work that makes a server write most kinds of WAL records.
public enum WALWorkload {
    /// What the cluster's configuration needs for it. Segments of 1 MiB let there be many.
    public static let configuration = [
        "wal_keep_size = 1GB", "max_wal_size = 1GB", "max_prepared_transactions = 10", "wal_level = logical",
        "track_commit_timestamp = on", "autovacuum = off",
    ]

    public static func run(_ cluster: PostgresCluster) throws {
        try cluster.psql(tables)
        try cluster.psql(indexes)
        try cluster.psql(transactions)
        try cluster.psql(administration)
        if cluster.installation.major >= 15 {
            try cluster.psql("create database copied template template1 strategy file_copy")
        }
        try cluster.psql(
            cluster.installation.major >= 15
                ? "select pg_backup_start('b', true); select * from pg_backup_stop()"
                : "select pg_start_backup('b', true); select pg_stop_backup()")
        try cluster.psql("create database other; drop database other;")
    }

    private static let tables = """
        create table t (id int primary key, words text, numbers int[]);
        insert into t select i, repeat(md5(i::text), i % 40), array[i, i % 7] from generate_series(1, 500) i;
        checkpoint;
        update t set words = md5(words) where id % 5 = 0;
        update t set words = words || 'x' where id % 5 = 0;
        delete from t where id % 3 = 0;
        vacuum t; select count(*) from t;
        insert into t select i, i::text, null from generate_series(1000, 1500) i;
        vacuum freeze t;
        insert into t values (1, 'a', null) on conflict (id) do nothing;
        insert into t values (7777, 'a', null) on conflict (id) do nothing;
        create table c (a int, b text); begin; truncate c;
        copy c (a) from program 'seq 1 3000' (freeze); commit;
        create unlogged table u (a int primary key); create sequence s;
        select count(nextval('s')) from generate_series(1, 100);
        truncate t, c restart identity cascade; analyze t;
        create table v (a int); insert into v select generate_series(1, 100); vacuum v;
        select * from v where a = 1 for update;
        update v set a = a + 1; vacuum full v; drop table v;
        alter table c alter column a type bigint; cluster t using t_pkey; alter table c add unique (a, b);
        """

    private static let indexes = """
        create table i (id int, other int, words text, numbers int[], place point, area box) with (fillfactor = 70);
        create index on i (id); create index on i (other) with (deduplicate_items = on); create index on i (words);
        create index on i using gin (numbers) with (fastupdate = off); create index listed on i using gin (numbers);
        create index on i using hash (other); create index on i using hash (words);
        create index brinned on i using brin (id) with (pages_per_range = 1, autosummarize = off);
        create index on i using spgist (words); create index on i using spgist (place);
        create index on i using gist (area);
        insert into i select n, n % 50, md5(n::text), array[n % 10, n % 100, n, n % 3], point(n % 100, n),
            box(point(n, n), point(n + 1, n % 77)) from generate_series(1, 8000) n;
        select gin_clean_pending_list('listed'::regclass), brin_summarize_new_values('brinned');
        update i set id = id + 20000 where id < 300; delete from i where other = 7 or id % 11 = 3;
        vacuum i; delete from i where id > 500; vacuum i; vacuum i;
        select brin_desummarize_range('brinned', 0), brin_summarize_new_values('brinned');
        insert into i select n, n % 5, repeat('common', 3) || n, array[1, 2, 3], point(1, 1),
            box(point(n, n), point(n, n)) from generate_series(1, 3000) n;
        delete from i where id > 100; vacuum i; select txid_current(); vacuum i;
        create extension bloom; create index on i using bloom (id); insert into i (id) values (1);
        """

    private static let transactions = """
        begin; savepoint a; insert into t values (10001); rollback to a; insert into t values (10002); commit;
        begin; select * from t where id = 10002 for share; savepoint b;
        update t set words = 'x' where id = 10002; commit;
        begin; insert into t values (1); create table made (a int); rollback;
        begin; insert into t values (3); create table made (a int); drop table u;
        prepare transaction 'it''s one'; commit prepared 'it''s one';
        begin; savepoint d; insert into t values (4); prepare transaction 'two'; rollback prepared 'two';
        do $$ begin for n in 1..200 loop begin
            insert into t values (n + 100000); exception when others then null; end; end loop; end $$;
        begin; lock table t in access exclusive mode; select pg_logical_emit_message(true, 'short', 'text'); commit;
        select pg_logical_emit_message(false, 'long', repeat('y', 300000));
        select pg_replication_origin_create('node'); select pg_replication_origin_session_setup('node');
        begin; insert into t values (5);
        select pg_replication_origin_xact_setup('0/1234ABCD', '2020-01-01 00:00:00+00'); commit;
        select pg_replication_origin_session_reset(); select pg_replication_origin_advance('node', '0/2000000');
        select pg_replication_origin_drop('node');
        select lo_unlink(lo_from_bytea(0, repeat('z', 5000)::bytea));
        """

    private static let administration = """
        set allow_in_place_tablespaces = on; create tablespace space location '';
        create table apart (a int) tablespace space;
        insert into apart values (1); drop table apart; drop tablespace space;
        vacuum full pg_class; reindex table pg_class; create role somebody; drop role somebody;
        select pg_create_restore_point('here'); select pg_switch_wal(); checkpoint;
        """
}
