import Foundation
import PostgresFormat
import TestSupport
import Testing

/// Records as they are read here, beside those that `pg_waldump` lists.
@Suite("WAL records", .timeLimit(.minutes(10)))
struct WALRecordReaderTests {
    /// What both say of a record.
    private struct Listed: Equatable {
        let manager: String
        /// Without images and with them.
        let lengths: [Int]
        let xid: UInt32
        let lsn: LSN
        let previous: LSN
        let blocks: [Block]

        /// What both say of a block reference.
        struct Block: Equatable {
            let id: UInt8
            let relation: RelationLocator
            let fork: ForkKind
            let block: UInt32
            /// Whether there is an image, and whether it is to be restored.
            let imageApplies: Bool?
        }

        init(_ record: borrowing WALRecord) {
            manager = record.manager.description
            lengths = [record.length - record.imageBytes, record.length]
            xid = record.xid
            lsn = record.startLSN
            previous = record.previousLSN
            blocks = record.blocks.map { block in
                Block(
                    id: block.id, relation: block.relation, fork: block.fork, block: block.block,
                    imageApplies: block.image?.applies)
            }
        }

        /// A line of `pg_waldump`'s.
        init?(_ line: Substring) {
            let record =
                #/rmgr: (\S+) +len \(rec\/tot\): +(\d+)\/ *(\d+), tx: +(\d+), lsn: (\S+), prev (\S+), desc: (.*)/#
            guard let found = try? record.wholeMatch(in: line) else { return nil }
            let block = #/blkref #(\d+): rel (\S+) (?:fork (\w+) )?blk (\d+)( FPW for WAL verification| FPW)?/#
            manager = String(found.1)
            lengths = [Int(found.2)!, Int(found.3)!]
            xid = UInt32(found.4)!
            lsn = LSN(String(found.5))!
            previous = LSN(String(found.6))!
            blocks = found.7.matches(of: block).map { match in
                let numbers = match.2.split(separator: "/").map { UInt32($0)! }
                return Block(
                    id: UInt8(match.1)!,
                    relation: RelationLocator(tablespace: numbers[0], database: numbers[1], relation: numbers[2]),
                    fork: match.3.map { ForkKind(rawValue: UInt8(["main", "fsm", "vm", "init"].firstIndex(of: $0)!))! }
                        ?? .main,
                    block: UInt32(match.4)!, imageApplies: match.5.map { $0 == " FPW" })
            }
        }
    }

    private static func segments(_ cluster: PostgresCluster) throws -> [WALSegment] {
        try FileManager.default.contentsOfDirectory(atPath: cluster.dataDirectory + "/pg_wal").sorted()
            .compactMap { WALSegment(fileName: $0, size: 1 << 20) }
    }

    /// All records of a cluster's WAL, up to its end.
    private static func read(
        _ cluster: PostgresCluster, _ segments: [WALSegment], pieceBytes: Int
    ) throws -> (records: [Listed], end: LSN?) {
        var reader = WALRecordReader(
            startingAt: segments[0].startLSN, segmentSize: 1 << 20, major: cluster.installation.major)
        var records: [Listed] = []
        for segment in segments {
            let content = try Data(
                contentsOf: URL(fileURLWithPath: "\(cluster.dataDirectory)/pg_wal/\(segment.fileName)"))
            let isOver = content.withUnsafeBytes { content in
                for start in stride(from: 0, to: content.count, by: pieceBytes) {
                    let end = min(start + pieceBytes, content.count)
                    // A copy, so that what is looked at afterwards by mistake is found by the sanitizers.
                    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: end - start, alignment: 8)
                    defer { piece.deallocate() }
                    piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: content[start..<end]))
                    var rest = UnsafeRawBufferPointer(piece)
                    do {
                        while let record = try reader.next(&rest) { records.append(Listed(record)) }
                    } catch { return true }
                }
                return false
            }
            if isOver { break }
        }
        return (records, reader.lastRecordEnd)
    }

    private static func dump(_ cluster: PostgresCluster, _ segments: [WALSegment]) throws -> [Listed] {
        // It ends with an error where WAL ends.
        let output = try cluster.installation.run(
            "pg_waldump", ["-p", cluster.dataDirectory + "/pg_wal", segments[0].fileName, segments.last!.fileName])
        let lines = output.output.split(separator: "\n")
        return try lines.map { try #require(Listed($0), "\($0)") }
    }

    private static func work(_ cluster: PostgresCluster) throws {
        try cluster.psql(
            """
            create table t (id int primary key, words text, numbers int[]);
            create index on t using gin (numbers); create index on t using hash (id);
            create index on t using brin (id); create index on t using spgist (words);
            insert into t select i, repeat(md5(i::text), i % 40), array[i, i % 7] from generate_series(1, 500) i;
            checkpoint;
            update t set words = md5(words) where id % 5 = 0;
            delete from t where id % 3 = 0;
            vacuum t;
            create sequence s; select count(nextval('s')) from generate_series(1, 100);
            begin; savepoint a; insert into t values (10001); rollback to a; insert into t values (10002); commit;
            begin; select * from t where id = 10002 for share; savepoint b; update t set words = 'x' where id = 10002; commit;
            select pg_switch_wal();
            select pg_logical_emit_message(false, 'long', repeat('y', 300000));
            create database other; drop table t; select lo_unlink(lo_from_bytea(0, repeat('z', 5000)::bytea));
            """)
    }

    @Test("are those that pg_waldump lists, whatever the pieces", arguments: PostgresInstallation.majors)
    func listed(major: Int) throws {
        let settings = major >= 15 ? ["wal_compression = lz4"] : ["wal_compression = on"]
        for (number, lines) in [["wal_compression = off", "wal_level = logical"], settings].enumerated() {
            let cluster = try PostgresCluster(
                major: major,
                .init(walSegmentMegabytes: 1, configuration: ["wal_keep_size = 1GB", "max_wal_size = 1GB"] + lines))
            try cluster.start(number == 1 ? ["-c", "wal_consistency_checking=all"] : [])
            try Self.work(cluster)
            try cluster.crash()
            let segments = try Self.segments(cluster)
            let expected = try Self.dump(cluster, segments)
            let (found, end) = try Self.read(cluster, segments, pieceBytes: 1 << 20)
            #expect(expected.count > 2000 && Set(expected.map(\.manager)).count > 12)
            #expect(found.count == expected.count)
            if let index = zip(found, expected).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset {
                Issue.record("record \(index): \(found[index]), and not \(expected[index])")
            }
            for pieceBytes in number == 0 ? [24, 8192, 100_003] : [8193] {
                let again = try Self.read(cluster, segments, pieceBytes: pieceBytes)
                #expect(again.records == found && again.end == end, "pieces of \(pieceBytes) bytes")
            }
        }
    }
}
