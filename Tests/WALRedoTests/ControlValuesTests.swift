import PostgresFormat
import TestSupport
import Testing
import WALRedo
import WALReplay

/// What has no page: the control file after PostgreSQL's own recovery.
@Suite("The control file", .timeLimit(.minutes(10)))
struct ControlValuesTests {
    private static let tables = """
        create table t (id int primary key, n int); insert into t select i, 0 from generate_series(1, 1000) i;
        create unlogged table u (id int); select count(lo_create(0)) from generate_series(1, 9000);
        """
    /// Transactions, and sets of them.
    private static let work = """
        do $$ begin
            perform * from t where id <= 100 for key share;
            for i in 1..100 loop begin
                perform * from t where id = i for share;
                if i % 3 = 0 then raise exception 'undone'; end if;
            exception when others then null; end; end loop;
        end $$;
        update t set n = n + 1 where id > 900;
        """
    private static let settings = [
        "max_connections = 120", "max_worker_processes = 12", "max_wal_senders = 14", "max_prepared_transactions = 9",
        "max_locks_per_transaction = 80", "wal_level = logical", "wal_log_hints = on", "track_commit_timestamp = on",
    ]
    /// What was prepared keeps the number of its subtransaction, which wrote nothing into WAL.
    private static let last = """
        begin; insert into t values (-1, 0); savepoint s; insert into u values (1); prepare transaction 'kept';
        """

    @Test("numbers and settings are those that recovery leaves", arguments: PostgresInstallation.majors)
    func agreement(major: Int) throws {
        let cluster = try RedoWorkshop.plainCluster(
            major,
            ["autovacuum = off", "wal_keep_size = 1GB", "max_connections = 40", "max_prepared_transactions = 5"])
        try cluster.psql(Self.tables + Self.work + "checkpoint;" + Self.work)
        try cluster.psql(Self.settings.map { "alter system set \($0);" }.joined())
        try cluster.stop()
        try cluster.start()
        try cluster.psql(Self.work + "alter system set full_page_writes = off; select pg_reload_conf();")
        try cluster.psql(Self.work)
        try cluster.crash()
        try cluster.start()
        try cluster.psql(Self.work + "update pg_database set datallowconn = true")
        for database in ["template0", "template1", "postgres"] {
            try cluster.psql("vacuum freeze", database: database)
        }
        try cluster.psql("checkpoint;" + Self.work + Self.last)
        let end = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
        try cluster.psql(Self.work + "select pg_switch_wal()")
        try cluster.stop()

        let replay = try RedoWorkshop.replay(cluster, to: end)
        #expect(replay.report.isSound && replay.report.checkpoints >= 2, "\(replay.report.faults)")
        let control = try #require(replay.control)
        let base = try ControlValues(RedoWorkshop.base(cluster).control)
        #expect(control.next.nextOid > base.next.nextOid + 8192 && control.next.nextMulti > 300, "\(control)")
        #expect(control.next.oldestXid > base.next.oldestXid && control.next.oldestMulti > 200, "\(control)")
        #expect(control.parameters.maxConnections == 120 && control.next.newestCommitTsXid != 0, "\(control)")

        let recovered = try RedoWorkshop.recover(cluster, to: end).control
        let left = control.differences(from: recovered)
        #expect(left.differences.isEmpty && left.compared == 28, "\(left)")
        #expect(recovered.minRecoveryPoint == control.end)
        let promoted = control.differences(from: try RedoWorkshop.promote(cluster, to: end, Self.settings).control)
        #expect(promoted.differences.isEmpty && promoted.compared == 10, "\(promoted)")
    }
}
