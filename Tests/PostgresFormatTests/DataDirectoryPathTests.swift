import Foundation
import PostgresFormat
import TestSupport
import Testing

@Suite("Paths of a data directory")
struct DataDirectoryPathTests {
    @Test(
        "classification",
        arguments: [
            ("base/5/16384", relation(1663, 5, 16384, .main, 0)),
            ("base/5/16384_fsm.3", relation(1663, 5, 16384, .freeSpaceMap, 3)),
            ("global/1262_vm", relation(1664, 0, 1262, .visibilityMap, 0)),
            ("pg_tblspc/16385/PG_15_202209061/5/16390.1", relation(16385, 5, 16390, .main, 1)),
            ("base/5/t3_16390_vm.1", .temporaryRelation),
            ("pg_tblspc/16385/PG_15_202209061/5/t3_16390", .temporaryRelation),
            ("global/pg_filenode.map", .relationMap), ("base/5/pg_filenode.map", .relationMap),
            ("pg_tblspc/16385/PG_15_202209061/5/pg_filenode.map", .relationMap),
            ("global/pg_control", .controlFile),
            ("pg_xact/0000", .slru(.transactions, segment: 0)), ("pg_xact/0ABC", .slru(.transactions, segment: 0xABC)),
            ("pg_multixact/members/14078", .slru(.multixactMembers, segment: 0x14078)),
            ("pg_multixact/offsets/FFFF", .slru(.multixactOffsets, segment: 0xFFFF)),
            ("pg_commit_ts/0001", .slru(.commitTimestamps, segment: 1)),
            ("pg_subtrans/0001", .slru(.subtransactions, segment: 1)),
            ("pg_notify/0000", .slru(.notify, segment: 0)),
            ("pg_serial/00000000000000A", .slru(.serial, segment: 10)),
        ])
    func classify(path: String, expected: DataDirectoryPath) { #expect(DataDirectoryPath.classify(path) == expected) }

    @Test(
        "what is none of these",
        arguments: [
            "", "/", "base", "base/5", "base/5/", "base/0/1", "base/05/1", "base//1", "base/5/0", "base/5/PG_VERSION",
            "base/5/1/1", "base/pgsql_tmp/1", "global/t3_1", "global/pg_control2", "base/5/pg_control",
            "/global/pg_control",
            "pg_tblspc/16385/PG_15_202209061/pgsql_tmp/1", "pg_tblspc/16385/PG_15/5/1",
            "pg_tblspc/1663/PG_15_202209061/5/1",
            "pg_tblspc/16385/5/1", "pg_xact/000", "pg_xact/00000", "pg_xact/1234567", "pg_xact/00aa",
            "pg_xact/000000000000000", "pg_multixact/0000", "pg_wal/000000010000000000000001", "../base/5/1",
            "base/5/1\u{0}",
        ])
    func other(path: String) { #expect(DataDirectoryPath.classify(path) == .other) }

    @Test("every relation of a real cluster is found under the path made here", arguments: PostgresInstallation.majors)
    func realPaths(major: Int) throws {
        let cluster = try PostgresCluster(major: major, .init(configuration: ["max_prepared_transactions = 3"]))
        let location = cluster.directory + "/space"
        try cluster.installation.check("/bin/mkdir", [location])
        try cluster.start()
        try cluster.psql("create tablespace space location '\(location)'")
        try cluster.psql(
            """
            create table t(a int primary key, b text) tablespace space;
            create unlogged table u(a int);
            insert into t select i, 'x' from generate_series(1, 10000) i; vacuum t; checkpoint;
            """)
        let control = try ControlFile(parsing: ControlFileTests.read(cluster.dataDirectory + "/global/pg_control"))
        let versionDirectory = tablespaceVersionDirectory(major: major, catalogVersion: control.catalogVersion)
        let rows = try cluster.psql(
            """
            select case when reltablespace = 0 then 1663 else reltablespace end,
                   case when reltablespace = 1664 then 0 else (select oid from pg_database where datname = current_database()) end,
                   pg_relation_filenode(oid), pg_relation_filepath(oid)
            from pg_class where pg_relation_filenode(oid) is not null
            """
        ).split(separator: "\n")
        #expect(rows.count > 200)
        for row in rows {
            let parts = row.split(separator: "|")
            let key = RelationFork(
                tablespace: try #require(UInt32(parts[0])), database: try #require(UInt32(parts[1])),
                relation: try #require(UInt32(parts[2])), fork: .main)
            let path = key.path(tablespaceVersionDirectory: versionDirectory)
            #expect(path == parts[3])
            #expect(DataDirectoryPath.classify(path) == .relation(key, segment: 0))
        }
        try cluster.stop()
        try classifyAll(cluster.dataDirectory, versionDirectory: versionDirectory, major: major)
    }

    /// Every file of the directory is what its place says, and its name comes back.
    private func classifyAll(_ directory: String, versionDirectory: String, major: Int) throws {
        var found: [String: Int] = [:]
        let enumerator = try #require(FileManager.default.enumerator(atPath: directory))
        var paths = enumerator.compactMap { $0 as? String }
        for link in try FileManager.default.contentsOfDirectory(atPath: directory + "/pg_tblspc") {
            let target = try FileManager.default.destinationOfSymbolicLink(atPath: "\(directory)/pg_tblspc/\(link)")
            let below = FileManager.default.enumerator(atPath: target)?.compactMap { $0 as? String } ?? []
            paths += below.map { "pg_tblspc/\(link)/\($0)" }
        }
        for path in paths {
            switch DataDirectoryPath.classify(path) {
            case .relation(let key, let segment):
                #expect(key.path(segment: segment, tablespaceVersionDirectory: versionDirectory) == path)
                found[key.tablespace > 1664 ? "tablespace" : "relation \(key.fork)", default: 0] += 1
            case .slru(let kind, let number):
                #expect(SLRUSegment(kind: kind, number: number).path(major: major) == path)
                found["slru", default: 0] += 1
            case .relationMap:
                let map = try RelationMap(parsing: ControlFileTests.read(directory + "/" + path))
                #expect(!map.entries.isEmpty)
                if path.hasPrefix("global") { #expect(map.relation(of: 1262) == 1262) }  // pg_database
                found["map", default: 0] += 1
            case .controlFile: found["control", default: 0] += 1
            case .temporaryRelation: Issue.record("a temporary relation: \(path)")
            case .other:
                let name = path.split(separator: "/").last ?? ""
                #expect(
                    !path.hasPrefix("base/") || ["PG_VERSION", "pg_internal.init"].contains(name)
                        || UInt32(name) != nil, "\(path)")
            }
        }
        #expect(found["control"] == 1 && found["map"] == 4)
        #expect(found["slru", default: 0] >= 4 && found["tablespace", default: 0] >= 3)
        for fork in ForkKind.allCases { #expect(found["relation \(fork)", default: 0] >= 1, "\(fork)") }
    }

    @Test("a damaged relation map is refused", arguments: [15, 16])
    func relationMap(major: Int) throws {
        let cluster = try PostgresCluster(major: major)
        let good = try ControlFileTests.read(cluster.dataDirectory + "/global/pg_filenode.map")
        #expect(good.count == (major >= 16 ? 524 : 512))
        var generator = SeededGenerator()
        for offset in 0..<(good.count - (major >= 16 ? 0 : 4)) {  // before 16, four bytes of padding end it
            var bad = good
            bad[offset] ^= UInt8.random(in: 1...255, using: &generator)
            #expect(throws: FormatError.self, "byte \(offset), seed \(generator.seed)") {
                try RelationMap(parsing: bad)
            }
        }
        for count in 0..<600 where count != 512 && count != 524 {
            #expect(throws: FormatError.self) { try RelationMap(parsing: generator.bytes(count)) }
        }
    }

    private static func relation(
        _ tablespace: UInt32, _ database: UInt32, _ relation: UInt32, _ fork: ForkKind, _ segment: Int
    ) -> DataDirectoryPath {
        .relation(
            RelationFork(tablespace: tablespace, database: database, relation: relation, fork: fork), segment: segment)
    }

    @Test("forks sort by tablespace, database, relation, fork")
    func order() {
        var generator = SeededGenerator()
        func some() -> RelationFork {
            func number() -> UInt32 { UInt32.random(in: 0...2, using: &generator) }
            return RelationFork(
                tablespace: number(), database: number(), relation: number(),
                fork: ForkKind.allCases.randomElement(using: &generator)!)
        }
        for _ in 0..<1000 {
            let (a, b) = (some(), some())
            let (x, y) = (
                [a.tablespace, a.database, a.relation, UInt32(a.fork.rawValue)],
                [b.tablespace, b.database, b.relation, UInt32(b.fork.rawValue)]
            )
            #expect((a < b) == x.lexicographicallyPrecedes(y), "seed \(generator.seed)")
        }
    }
}
