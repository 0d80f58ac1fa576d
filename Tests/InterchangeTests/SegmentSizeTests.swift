import Foundation
import Interchange
import ObjectStorage
import Snapshots
import SystemPackage
import TestSupport
import Testing

/// A server built with small segment files: relations of many files, as they are from a gigabyte on elsewhere.
@Suite(
    "small segment files", .timeLimit(.minutes(10)),
    .enabled(
        if: PostgresInstallation.smallSegments != nil,
        "NOT TESTED: relations of many segment files need a PostgreSQL of their own: make test-segsize"))
struct SegmentSizeTests {
    private func fill(_ cluster: PostgresCluster, space: String) throws {
        try cluster.run("pgbench", ["-i", "-q", "-s", "5"])
        try cluster.psql("CREATE TABLESPACE space LOCATION '\(space)'")
        try cluster.psql(
            """
            CREATE TABLE elsewhere (id int PRIMARY KEY, t text) TABLESPACE space;
            INSERT INTO elsewhere SELECT i, md5(i::text) FROM generate_series(1, 50000) i;
            CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY, t text);
            INSERT INTO fleeting SELECT i, md5(i::text) FROM generate_series(1, 50000) i;
            CREATE TABLE toasted (t text);
            ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL;
            INSERT INTO toasted SELECT repeat(md5(i::text), 2000) FROM generate_series(1, 50) i;
            CREATE TABLE shortened (id int, t text);
            INSERT INTO shortened SELECT i, md5(i::text) FROM generate_series(1, 50000) i;
            DELETE FROM shortened WHERE id > 20000;
            VACUUM ANALYZE;
            """)
    }

    /// The names of a relation's files in its directory, those without content too.
    private func segments(_ cluster: PostgresCluster, _ relation: String) throws -> [String] {
        let path = try cluster.psql("SELECT pg_relation_filepath('\(relation)')") as NSString
        let directory = "\(cluster.dataDirectory)/\(path.deletingLastPathComponent)"
        return try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { $0 == path.lastPathComponent || $0.hasPrefix(path.lastPathComponent + ".") }
            .map { "\(directory)/\($0)" }
    }

    @Test("there and back, by files and by objects")
    func roundTrip() async throws {
        let installation = try #require(PostgresInstallation.smallSegments)
        let cluster = try PostgresCluster(installation)
        let data = cluster.dataDirectory
        let space = cluster.directory + "/space"
        try installation.check("/bin/mkdir", [space])
        try cluster.start()
        try fill(cluster, space: space)
        for relation in [
            "pgbench_accounts", "pgbench_accounts_pkey", "elsewhere", "elsewhere_pkey", "fleeting", "shortened",
        ] {
            #expect(try segments(cluster, relation).count > 1, "\(relation)")
        }
        let shortened = try segments(cluster, "shortened")
        let dump = try dumpAll(cluster)
        try cluster.stop()
        #expect(try shortened.contains { try #require(FileManager.default.contents(atPath: $0)).isEmpty })

        let workshop = try Workshop()
        let snapshot = try await workshop.importing(data)
        let control = try installation.check("pg_controldata", ["-D", data])
        let blocks = try #require(control.firstMatch(of: /Blocks per segment of large relation: +(\d+)/)?.1)
        #expect(snapshot.manifest.identity.segmentBlocks == Int(blocks))
        let export = try await workshop.export(snapshot, to: "export")
        try expectSameContent(data, export)

        let store = FileObjectStore(root: workshop.directory + "/objects")
        try await ObjectExport(snapshot, parallel: 4, progress: NoProgress()).run(to: store)
        let imported = try await workshop.importing(ObjectDataDirectory(store: store))
        let fromObjects = try await workshop.export(imported, to: "from-objects")
        try expectSameContent(data, fromObjects)

        let restored = try PostgresCluster.open(export, by: installation)
        try installation.check("pg_checksums", ["--check", "-D", export])
        try restored.start()
        #expect(!restored.log.contains("automatic recovery"))
        #expect(try dumpAll(restored) == dump)
        try restored.run("pg_amcheck", ["--all", "--heapallindexed", "--install-missing"])
        // It goes on: grows into new segments, and into those that were shortened away.
        try restored.psql(
            """
            INSERT INTO shortened SELECT i, md5(i::text) FROM generate_series(20001, 60000) i;
            INSERT INTO elsewhere SELECT i, md5(i::text) FROM generate_series(50001, 60000) i;
            """)
        #expect(try restored.psql("SELECT count(*), count(DISTINCT id) FROM shortened") == "60000|60000")
        #expect(try restored.psql("SELECT count(*) FROM elsewhere") == "60000")
        #expect(try restored.psql("SELECT count(*) FROM fleeting") == "50000")
        try restored.stop()
        try installation.check("pg_checksums", ["--check", "-D", export])
    }
}
