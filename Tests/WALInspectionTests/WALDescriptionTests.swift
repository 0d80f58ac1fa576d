import Foundation
import PostgresFormat
import TestSupport
import Testing
import WALInspection

/// Names, texts and counts beside those of `pg_waldump`.
@Suite("Descriptions of WAL records", .timeLimit(.minutes(10)))
struct WALDescriptionTests {
    private struct Line: Equatable {
        let lsn: LSN
        let name: String
        let text: String
    }

    private static func segments(_ cluster: PostgresCluster) throws -> [WALSegment] {
        try FileManager.default.contentsOfDirectory(atPath: cluster.dataDirectory + "/pg_wal").sorted()
            .compactMap { WALSegment(fileName: $0, size: 1 << 20) }
    }

    private static func forEachRecord(
        _ cluster: PostgresCluster, _ segments: [WALSegment], _ body: (WALRecord) -> Void
    ) throws {
        var reader = WALRecordReader(
            startingAt: segments[0].startLSN, segmentSize: 1 << 20, major: cluster.installation.major)
        for segment in segments {
            let content = try Data(
                contentsOf: URL(fileURLWithPath: "\(cluster.dataDirectory)/pg_wal/\(segment.fileName)"))
            let isOver = content.withUnsafeBytes { content in
                var rest = content
                do {
                    while let record = try reader.next(&rest) { body(record) }
                    return false
                } catch { return true }
            }
            if isOver { return }
        }
    }

    private static func dump(
        _ cluster: PostgresCluster, _ segments: [WALSegment], _ arguments: [String] = []
    ) throws -> [Substring] {
        // It ends with an error where WAL ends.
        try cluster.installation.run(
            "pg_waldump",
            ["-p", cluster.dataDirectory + "/pg_wal"] + arguments + [segments[0].fileName, segments.last!.fileName],
            environment: ["TZ": "UTC"]
        ).output.split(separator: "\n")
    }

    private static func worked(_ major: Int) throws -> PostgresCluster {
        let cluster = try PostgresCluster(
            major: major, .init(walSegmentMegabytes: 1, configuration: WALWorkload.configuration))
        try cluster.start()
        try WALWorkload.run(cluster)
        try cluster.crash()
        return cluster
    }

    /// A text of `pg_waldump`'s as it would be without what is told in another way on purpose.
    private static func plain(_ text: Substring) -> String {
        var text = text.trimmingCharacters(in: CharacterSet(charactersIn: " ,"))
        // A long message is cut, and a relation map listed.
        if let payload = text.range(of: " bytes):"), text.count > 500 { text = String(text[..<payload.upperBound]) }
        if let map = text.range(of: " map ") { text = String(text[..<map.lowerBound]) }
        return text
    }

    @Test("have pg_waldump's names, and the texts of its latest versions", arguments: PostgresInstallation.majors)
    func names(major: Int) throws {
        let cluster = try Self.worked(major)
        let segments = try Self.segments(cluster)
        var found: [Line] = []
        var statistics = [
            "": WALStatistics(major: major, countsTypes: false),
            "=record": WALStatistics(major: major, countsTypes: true),
        ]
        try Self.forEachRecord(cluster, segments) { record in
            let description = WALRecordDescription(record, major: major)
            found.append(
                Line(lsn: record.startLSN, name: description.name, text: Self.plain(description.text[...])))
            for kind in statistics.keys { statistics[kind]?.add(record) }
        }
        #expect(found.filter { $0.text.contains("(damaged)") } == [])
        let pattern = #/.*, lsn: ([0-9A-F\/]+), prev [^,]*, desc: (UNKNOWN \(.*?\)|\S+) ?(.*?)(, blkref #.*)?/#
        let expected = try Self.dump(cluster, segments).map { line in
            let match = try #require(try pattern.wholeMatch(in: line), "\(line)")
            return Line(lsn: try #require(LSN(String(match.1))), name: String(match.2), text: Self.plain(match.3))
        }
        #expect(found.count == expected.count && found.count > 5000)
        #expect(Set(expected.map(\.name)).count > 80, "\(Set(expected.map(\.name)).sorted())")
        for (mine, theirs) in zip(found, expected) {
            #expect(mine.lsn == theirs.lsn && mine.name == theirs.name, "\(mine) and \(theirs)")
            if major >= 17, mine.text != theirs.text { Issue.record("\(mine) and \(theirs)") }
        }
        for (kind, counts) in statistics {
            try Self.compare(counts, Self.dump(cluster, segments, ["--stats" + kind]))
        }
    }

    /// All rows of both, and the sum.
    private static func compare(_ statistics: WALStatistics, _ table: [Substring]) throws {
        let count = #"(\d+) \( *[\d.]+\)"#
        let pattern = try Regex<(Substring, Substring, Substring, Substring, Substring, Substring)>(
            #"(\S+) +"# + [count, count, count, count].joined(separator: " +"))
        let expected = try table.compactMap { try pattern.wholeMatch(in: $0)?.output }
            .filter { $0.2 != "0" }.map { ["\($0.1)", "\($0.2)", "\($0.3)", "\($0.4)", "\($0.5)"] }
        let found = statistics.rows.map { row in
            let name = row.manager.description + (row.type.map { "/" + $0 } ?? "")
            let count = row.count
            return [name] + [count.records, count.recordBytes, count.imageBytes, count.totalBytes].map { "\($0)" }
        }
        #expect(expected.count > 15)
        #expect(found.sorted { $0[0] < $1[0] } == expected.sorted { $0[0] < $1[0] })
        let sum = statistics.total
        #expect(table.contains { $0.hasPrefix("Total") && $0.contains(" \(sum.totalBytes) ") })
    }

    @Test("of records that anybody may have written say that they are damaged, and never trap")
    func hostile() throws {
        var generator = SeededGenerator(seed: 20_261_126)
        var damagedCount = 0
        for _ in 0..<10_000 {
            let bytes = (0..<Int.random(in: 0...120, using: &generator)).map { _ in
                // Small numbers, so that counts are not always too large, and the largest.
                [UInt8.random(in: 0...4, using: &generator), .random(in: 0...255, using: &generator), 255]
                    .randomElement(using: &generator)!
            }
            let record = Self.record(
                bytes, manager: .random(in: 0...21, using: &generator), info: .random(in: 0...255, using: &generator))
            var decoder = WALRecordDecoder(major: 18)
            try record.withUnsafeBytes { raw in
                let decoded = try decoder.decode(raw, start: LSN(rawValue: 0x100_0028), end: LSN(rawValue: 0x100_0100))
                for major in PostgresInstallation.majors {
                    let text = WALRecordDescription(decoded, major: major).text
                    damagedCount += text.contains("(damaged)") ? 1 : 0
                    #expect(text.utf8.allSatisfy { $0 >= 0x20 })
                }
            }
        }
        #expect(damagedCount > 2_500)
    }

    /// A record with one block whose data is the first half, and the rest as main data.
    private static func record(_ bytes: [UInt8], manager: UInt8, info: UInt8) -> [UInt8] {
        func little(_ value: some FixedWidthInteger) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        let data = bytes[..<(bytes.count / 2)]
        let main = bytes[(bytes.count / 2)...]
        var headers: [UInt8] = [0, data.isEmpty ? 0 : 0x20] + little(UInt16(data.count))
        for word in [1663, 5, 1259, 7] as [UInt32] { headers += little(word) }
        if !main.isEmpty { headers += [255, UInt8(main.count)] }
        let length = 24 + headers.count + bytes.count
        var record = little(UInt32(length)) + little(UInt32(700)) + little(UInt64(0x100_0000))
        record += [info, manager, 0, 0] + little(UInt32(0)) + headers + data + main
        return record
    }
}
