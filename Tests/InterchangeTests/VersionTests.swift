import Foundation
import Interchange
import Snapshots
import SystemPackage
import TestSupport
import Testing

/// The other versions and the choices that `initdb` gives, each there and back again.
@Suite("versions and options", .timeLimit(.minutes(30)))
struct VersionTests {
    private func roundTrip(_ major: Int, _ options: PostgresCluster.Options) async throws -> SnapshotIdentity {
        let cluster = try PostgresCluster(major: major, options)
        try cluster.start()
        try cluster.psql(
            """
            CREATE TABLE rows (id int PRIMARY KEY, t text);
            INSERT INTO rows SELECT i, repeat(md5(i::text), 5) FROM generate_series(1, 5000) i;
            VACUUM rows;
            """)
        let dump = try dumpAll(cluster)
        try cluster.stop()
        let workshop = try Workshop()
        let snapshot = try await workshop.importing(cluster.dataDirectory)
        let export = try await workshop.export(snapshot, to: "export")
        try expectSameContent(cluster.dataDirectory, export)
        for path in ["", "base", "base/1", "pg_wal", "pg_xact", "PG_VERSION"] {
            #expect(try mode("\(cluster.dataDirectory)/\(path)") == mode("\(export)/\(path)"), "\(path)")
        }
        let restored = try PostgresCluster.open(export)
        if options.checksums { try restored.installation.check("pg_checksums", ["--check", "-D", export]) }
        try restored.start()
        #expect(try dumpAll(restored) == dump)
        try restored.run("pg_amcheck", ["--heapallindexed", "--install-missing"])
        try restored.stop()
        return snapshot.manifest.identity
    }

    @Test("each other version", arguments: [14, 16, 17, 18])
    func version(_ major: Int) async throws {
        let identity = try await roundTrip(major, .init())
        #expect(identity.postgresMajor == major && identity.dataChecksums)
    }

    @Test("WAL segments of the least and of the most size, in MB", arguments: [1, 1024])
    func walSegments(_ megabytes: Int) async throws {
        #expect(
            try await roundTrip(15, .init(walSegmentMegabytes: megabytes)).walSegmentBytes == megabytes << 20)
    }

    @Test("WAL segments of 64 MB, no checksums, access for the group")
    func options() async throws {
        let identity = try await roundTrip(
            15, .init(checksums: false, walSegmentMegabytes: 64, arguments: ["--allow-group-access"]))
        #expect(identity.walSegmentBytes == 64 << 20 && !identity.dataChecksums)
    }
}
