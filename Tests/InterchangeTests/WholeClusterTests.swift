import Foundation
import Interchange
import ObjectStorage
import Snapshots
import SystemPackage
import TestSupport
import Testing

/// One cluster with all that PostgreSQL keeps, there and back again.
@Suite("whole cluster", .timeLimit(.minutes(30)))
struct WholeClusterTests {
    private static let database = "dätabase ✓"

    private func fill(_ cluster: PostgresCluster, space: String) throws {
        try cluster.run("pgbench", ["-i", "-q", "-s", "1"])
        try cluster.psql("CREATE DATABASE \"\(Self.database)\"")
        try cluster.psql("CREATE TABLESPACE space LOCATION '\(space)'")
        try cluster.psql("SELECT pg_create_physical_replication_slot('slot', true)")
        try cluster.psql(
            """
            CREATE TABLE kinds (id int PRIMARY KEY, a int[], p point, t text);
            INSERT INTO kinds SELECT i, ARRAY[i, i % 7], point(i, -i), repeat(md5(i::text), 3)
                FROM generate_series(1, 5000) i;
            CREATE INDEX ON kinds USING hash (t);
            CREATE INDEX ON kinds USING gin (a);
            CREATE INDEX ON kinds USING gist (p);
            CREATE INDEX ON kinds USING spgist (p);
            CREATE INDEX ON kinds USING brin (id);
            CREATE TABLE elsewhere (id int PRIMARY KEY, t text) TABLESPACE space;
            INSERT INTO elsewhere SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
            CREATE UNLOGGED TABLE fleeting (id serial PRIMARY KEY, t text);
            INSERT INTO fleeting (t) SELECT 'row ' || i FROM generate_series(1, 100) i;
            CREATE TABLE toasted (t text);
            ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL;
            INSERT INTO toasted SELECT repeat(md5(i::text), 2000) FROM generate_series(1, 20) i;
            CREATE TABLE empty (id int);
            CREATE SEQUENCE counter START 42;
            SELECT nextval('counter');
            SELECT lo_from_bytea(4711, decode(repeat('c0ffee', 20000), 'hex'));
            CREATE TABLE pending (id int);
            VACUUM ANALYZE;
            BEGIN;
            INSERT INTO pending VALUES (1);
            PREPARE TRANSACTION 'half done';
            """, database: Self.database)
    }

    /// Files that a snapshot must not carry, as a server could have left them.
    private func plantLeftovers(_ data: String) throws {
        let base = try #require(
            try FileManager.default.contentsOfDirectory(atPath: data + "/base").first { Int($0) != nil })
        try shell("mkdir", "-p", data + "/base/pgsql_tmp", data + "/pg_stat_tmp")
        for file in [
            "base/pgsql_tmp/pgsql_tmp1.0", "base/\(base)/t3_16399", "pg_stat_tmp/db_0.stat", "global/pg_internal.init",
        ] {
            try Data("left over".utf8).write(to: URL(fileURLWithPath: "\(data)/\(file)"))
        }
        try #require(exists(data + "/postmaster.opts") && exists(data + "/pg_replslot/slot/state"))
    }

    private func expectNoLeftovers(_ export: String) throws {
        let names = try shell("find", "-L", export, "-type", "f").split(separator: "\n").map(String.init)
        #expect(
            names.filter { $0.contains("pgsql_tmp") || $0.contains("/t3_") || $0.hasSuffix("pg_internal.init") } == [])
        for path in ["postmaster.pid", "postmaster.opts", "zenith-export-unfinished"] {
            #expect(!exists("\(export)/\(path)"), "\(path) is there")
        }
        for path in ["pg_replslot", "pg_stat_tmp"] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(export)/\(path)") == [])
        }
        let wal = try FileManager.default.contentsOfDirectory(atPath: export + "/pg_wal").filter { $0.count == 24 }
        #expect(wal.count == 1)
    }

    @Test("PostgreSQL 15 with everything")
    func everything() async throws {
        let cluster = try PostgresCluster(major: 15, .init(configuration: ["max_prepared_transactions = 10"]))
        let data = cluster.dataDirectory
        let space = cluster.directory + "/space"
        try cluster.installation.check("/bin/mkdir", [space])
        try cluster.start()
        try fill(cluster, space: space)
        let dump = try dumpAll(cluster)
        let visible = try cluster.psql("SELECT pg_relation_filepath('pgbench_accounts')")
        let oid = try cluster.psql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'")
        try cluster.stop()
        try plantLeftovers(data)
        // PD_ALL_VISIBLE is 4 in pd_flags, at byte 10 of the page: bits that no WAL replay would bring back alike.
        let pages = try #require(FileManager.default.contents(atPath: "\(data)/\(visible)"))
        #expect(stride(from: 0, to: pages.count, by: 8192).allSatisfy { pages[$0 + 10] & 4 != 0 } && !pages.isEmpty)

        let workshop = try Workshop()
        let snapshot = try await workshop.importing(data)
        #expect(snapshot.manifest.tablespaces.map(\.location) == [space])
        let export = try await workshop.export(snapshot, to: "default")
        try expectSameContent(data, export)
        try expectNoLeftovers(export)
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: "\(export)/pg_tblspc/\(oid)")
                == "\(export)/tablespaces/\(oid)")
        for path in ["", "base", "global", "pg_wal", "postgresql.conf"] {
            #expect(try mode("\(data)/\(path)") == mode("\(export)/\(path)"), "\(path)")
        }

        // An export holds its tablespaces below itself; they are not taken twice.
        let again = try await workshop.importing(export)
        #expect(again.manifest.forks.map(\.key) == snapshot.manifest.forks.map(\.key))
        #expect(again.manifest.files.filter { $0.path.hasPrefix("tablespaces/") } == [])

        // By path and by OID; what is unknown is refused before anything is written.
        let byPath = try await workshop.export(
            snapshot, to: "by-path", mapping: [space: workshop.directory + "/space1"])
        #expect(exists(workshop.directory + "/space1") && !exists(byPath + "/tablespaces"))
        try expectSameContent(data, byPath)
        let byOID = try await workshop.export(
            snapshot, to: "by-oid", mapping: [oid: workshop.directory + "/new/space2"])
        try expectSameContent(data, byOID)
        for (mapping, reason) in [
            (["/nowhere": "/tmp/x"], "no tablespace /nowhere"), ([space: "relative"], "absolute"),
            ([space: workshop.directory + "/refused"], "the export itself"),
        ] {
            do {
                try await workshop.export(snapshot, to: "refused", mapping: mapping)
                Issue.record("\(mapping) was accepted")
            } catch { #expect("\(error)".contains(reason), "\(error)") }
            #expect(!exists(workshop.directory + "/refused"))
        }

        try await overObjects(snapshot, dump, workshop)
        let restored = try PostgresCluster.open(export)
        try restored.installation.check("pg_checksums", ["--check", "-D", export])
        try restored.start()
        #expect(!restored.log.contains("automatic recovery"))
        #expect(try dumpAll(restored) == dump)
        try restored.run("pg_amcheck", ["--all", "--heapallindexed", "--install-missing"])
        #expect(try restored.psql("SELECT count(*) FROM fleeting", database: Self.database) == "100")
        #expect(try restored.psql("SELECT nextval('counter')", database: Self.database) == "43")
        #expect(try restored.psql("SELECT count(*) FROM pending", database: Self.database) == "0")
        try restored.psql("COMMIT PREPARED 'half done'", database: Self.database)
        #expect(try restored.psql("SELECT count(*) FROM pending", database: Self.database) == "1")
        try restored.stop()
    }

    private func overObjects(_ snapshot: SnapshotReader, _ dump: String, _ workshop: Workshop) async throws {
        let store = FileObjectStore(root: workshop.directory + "/objects")
        try await ObjectExport(snapshot, parallel: 4, progress: NoProgress()).run(to: store)
        let imported = try await workshop.importing(ObjectDataDirectory(store: store))
        #expect(imported.manifest.tablespaces == snapshot.manifest.tablespaces)
        #expect(imported.manifest.forks.map(\.blockCount) == snapshot.manifest.forks.map(\.blockCount))
        let export = try await workshop.export(imported, to: "from-objects")
        let cluster = try PostgresCluster.open(export)
        try cluster.start()
        #expect(try dumpAll(cluster) == dump)
        try cluster.stop()
    }
}
