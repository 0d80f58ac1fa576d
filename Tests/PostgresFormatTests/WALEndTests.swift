import Foundation
import PostgresFormat
import TestSupport
import Testing

/// Real WAL, as a server left it and with wounds.
@Suite("The end of WAL", .timeLimit(.minutes(10)))
struct WALEndTests {
    private static let segmentSize = 1 << 20

    /// WAL of a server that was killed: its segments and where its last record ends.
    private struct Written {
        let major: Int
        let segments: [WALSegment]
        let contents: [[UInt8]]
        let end: LSN
        /// Where each record begins.
        let records: [LSN]
    }

    /// Reads up to a failure, and lets it be judged.
    private static func judge(
        _ contents: [[UInt8]], from start: LSN, major: Int, pieceBytes: Int = segmentSize
    ) -> (verdict: WALEnd?, end: LSN?, records: [LSN]) {
        var reader = WALRecordReader(startingAt: start, segmentSize: segmentSize, major: major)
        var records: [LSN] = []
        var search: WALEndSearch?
        for (index, content) in contents.enumerated() {
            content.withUnsafeBytes { content in
                for piece in stride(from: 0, to: content.count, by: pieceBytes) {
                    var rest = UnsafeRawBufferPointer(
                        rebasing: content[piece..<min(content.count, piece + pieceBytes)])
                    if search == nil {
                        do throws(FormatError) {
                            while let record = try reader.next(&rest) { records.append(record.startLSN) }
                        } catch { search = reader.endSearch(after: error) }
                    }
                    search?.take(rest)
                }
            }
            guard let search else { continue }
            let next: (LSN, [UInt8])? =
                index + 1 < contents.count
                ? (LSN(rawValue: start.rawValue + UInt64((index + 1) * segmentSize)), contents[index + 1]) : nil
            return (search.decide(nextSegment: next), reader.lastRecordEnd, records)
        }
        return (nil, reader.lastRecordEnd, records)
    }

    private static func write(_ major: Int) throws -> Written {
        let cluster = try PostgresCluster(
            major: major,
            .init(walSegmentMegabytes: 1, configuration: ["wal_keep_size = 1GB", "autovacuum = off"]))
        try cluster.start()
        try cluster.psql(
            """
            create table t (a int, b text);
            do $$ begin for n in 1..4000 loop
                insert into t values (n, repeat('x', n % 900)); if n % 10 = 0 then commit; end if;
            end loop; end $$;
            select pg_switch_wal();
            insert into t select n, repeat('y', 200) from generate_series(1, 800) n;
            """)
        try cluster.crash()
        let directory = cluster.dataDirectory + "/pg_wal/"
        let segments = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            .compactMap { WALSegment(fileName: $0, size: segmentSize) }
        let contents = try segments.map { try [UInt8](Data(contentsOf: URL(fileURLWithPath: directory + $0.fileName))) }
        let (verdict, end, records) = judge(contents, from: segments[0].startLSN, major: major)
        #expect(verdict.map { !$0.isDamage } ?? true, "PostgreSQL \(major): \(String(describing: verdict))")
        return Written(
            major: major, segments: segments, contents: contents, end: try #require(end), records: records)
    }

    @Test("is told from damage", arguments: PostgresInstallation.majors)
    func judged(major: Int) throws {
        let written = try Self.write(major)
        let start = written.segments[0].startLSN
        func judge(pieceBytes: Int = Self.segmentSize, _ change: (inout [[UInt8]]) -> Void) -> (WALEnd?, LSN?) {
            var contents = written.contents
            change(&contents)
            let judged = Self.judge(contents, from: start, major: major, pieceBytes: pieceBytes)
            return (judged.verdict, judged.end)
        }
        func offset(_ lsn: LSN) -> (segment: Int, byte: Int) {
            let distance = Int(lsn.rawValue - start.rawValue)
            return (distance / Self.segmentSize, distance % Self.segmentSize)
        }
        // A bit of any record but the last: what follows tells.
        var generator = SeededGenerator(seed: 7)
        for round in 0..<60 {
            let index = Int.random(in: 1..<written.records.count - 3, using: &generator)
            let record = written.records[index]
            let place = offset(record)
            guard record.rawValue % 8192 < 8100 else { continue }
            let byte = place.byte + [0, 4, 9, 16, 20, 24][round % 6]
            let (verdict, end) = judge(pieceBytes: round % 2 == 0 ? 8192 : 100_003) { $0[place.segment][byte] ^= 0x10 }
            let isInLastPage = record.rawValue / 8192 == (written.end.rawValue - 1) / 8192
            #expect(
                isInLastPage || verdict?.isDamage == true,
                "\(record) + \(byte - place.byte): \(String(describing: verdict))")
            // A page's header may lie between.
            #expect(end.map { $0 <= record && record.rawValue - $0.rawValue <= 40 } == true)
        }
        // A CRC that is wrong, in the last page, with good records behind it.
        let last = written.records[written.records.count - 2]
        if last.rawValue / 8192 == (written.end.rawValue - 1) / 8192, last.rawValue % 8192 < 8100 {
            let place = offset(last)
            let (verdict, _) = judge { $0[place.segment][place.byte + 20] ^= 1 }
            #expect(
                verdict?.isDamage == true && "\(verdict!)".contains("follows on it"), "\(String(describing: verdict))")
        }
        // A page in the middle: gone, or that of an older use.
        for wound in [0, 1] {
            let (verdict, end) = judge { contents in
                if wound == 0 {
                    contents[0].replaceSubrange(40 * 8192..<41 * 8192, with: [UInt8](repeating: 0, count: 8192))
                } else {
                    contents[0][40 * 8192 + 11] ^= 0x01
                }
            }
            #expect(
                verdict?.isDamage == true && "\(verdict!)".contains("WAL goes on at"), "\(String(describing: verdict))")
            #expect(end.map { $0.rawValue <= start.rawValue + 40 * 8192 } == true)
        }
        // A segment's end that is missing shows by the next segment.
        let cut = judge { contents in
            contents[0].removeSubrange((100 * 8192)...)
            contents[0] += [UInt8](repeating: 0, count: Self.segmentSize - 100 * 8192)
        }
        #expect(cut.0?.isDamage == true && "\(cut.0!)".contains("WAL goes on at \(written.segments[1].startLSN)"))
    }

    @Test("is an end where nothing of it follows", arguments: PostgresInstallation.majors)
    func ended(major: Int) throws {
        let written = try Self.write(major)
        let start = written.segments[0].startLSN
        let pages = Self.segmentSize / 8192
        // What a server would find after going down at each of these moments: pages written so far, and behind them
        // zeros, or pages of an older use.
        for page in [1, 2, 17, 60, pages - 1] {
            for isRecycled in [false, true] {
                var content = written.contents[0]
                for later in page..<pages {
                    if isRecycled {
                        content[later * 8192 + 11] = 0
                        content[later * 8192 + 10] = 0
                    } else {
                        content.replaceSubrange(
                            later * 8192..<(later + 1) * 8192, with: [UInt8](repeating: 0, count: 8192))
                    }
                }
                let judged = Self.judge([content], from: start, major: major)
                #expect(judged.verdict?.isDamage == false, "page \(page): \(String(describing: judged.verdict))")
                #expect(judged.end.map { $0.rawValue <= start.rawValue + UInt64(page * 8192) } == true)
            }
        }
    }
}
