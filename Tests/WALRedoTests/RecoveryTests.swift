import PostgresFormat
import TestSupport
import Testing
import WALReplay

@Suite("PostgreSQL's own recovery", .timeLimit(.minutes(10)))
struct RecoveryTests {
    /// What the workload that all share leaves out: what is there in the middle of it, and what is copied.
    private static let more = """
        set allow_in_place_tablespaces = on; create tablespace kept location '';
        create table apart (a int primary key, b text) tablespace kept;
        insert into apart select i, repeat('b', 100) from generate_series(1, 3000) i;
        create table l (a int primary key); insert into l select generate_series(1, 200000);
        vacuum l; delete from l where a > 1000; vacuum (truncate on) l;
        begin; select * from l where a < 300 for key share; savepoint s; update l set a = -a where a < 100; commit;
        alter table apart set tablespace pg_default; create index on apart (b) tablespace kept;
        vacuum full pg_database; vacuum full pg_type;
        begin; insert into apart values (-1); savepoint s; insert into apart values (-2);
        prepare transaction 'undecided';
        """

    @Test(
        "every page, all transaction state and every map is what recovery makes", arguments: PostgresInstallation.majors
    )
    func agreement(major: Int) throws {
        // Without checksums, recovery writes what it notes in free space maps, and fewer images tell of other maps.
        let cluster = try RedoWorkshop.plainCluster(major, WALWorkload.configuration, checksums: major % 2 == 0)
        try WALWorkload.run(cluster)
        try cluster.psql(Self.more)
        try cluster.psql("create database twin template template0")
        // Recovery writes its pages at a checkpoint.
        try cluster.psql("checkpoint; insert into apart select i, 'c' from generate_series(4000, 5000) i")
        let end = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
        try cluster.psql("update apart set b = 'later'; drop table t; select pg_switch_wal()")
        try cluster.stop()

        let replay = try RedoWorkshop.replay(cluster, to: end)
        #expect(replay.report.isSound, "\(replay.report.faults)")
        let found = try replay.compare(with: try RedoWorkshop.recover(cluster, to: end))
        #expect(found.faults.isEmpty, "\(found.faults.map(\.description).joined(separator: "\n"))")
        #expect(found.changedPages > 1000 && found.pages > 3000 && found.logPages > 3, "\(found)")
        #expect(found.relationMaps > 1 && found.preparedTransactions == 1 && found.controlFields == 28, "\(found)")
    }
}
