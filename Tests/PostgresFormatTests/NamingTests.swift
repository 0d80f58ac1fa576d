import Foundation
import PostgresFormat
import TestSupport
import Testing

@Suite("Names and numbers")
struct NamingTests {
    @Test(
        "LSN text",
        arguments: [
            ("0/0", 0), ("0/15D68C0", 0x15D_68C0), ("16/B374D848", 0x16_B374_D848), ("FFFFFFFF/FFFFFFFF", UInt64.max),
        ])
    func lsn(text: String, value: UInt64) throws {
        let lsn = LSN(rawValue: value)
        #expect(lsn.description == text)
        #expect(LSN(text) == lsn)
        #expect(LSN(text.lowercased()) == lsn)
        #expect(LSN(hex16: lsn.hex16) == lsn)
        #expect(lsn.hex16.count == 16)
    }

    @Test(
        "LSN text that is none",
        arguments: [
            "", "/", "0", "0/", "/0", "0/0/0", " 0/0", "0/0\n", "+1/0", "0/-1", "0x1/0", "123456789/0", "0/123456789",
            "g/0", "0/\u{661}",
        ])
    func noLSN(text: String) { #expect(LSN(text) == nil) }

    @Test(
        "16 digits have one form",
        arguments: ["", "0", "00000000015d68C0", "00000000015D68C", "00000000015D68C00", "+0000000015D68C0"])
    func noHex16(text: String) { #expect(LSN(hex16: text) == nil) }

    @Test("WAL segments", arguments: [1, 2, 16, 64, 1024])
    func segments(megabytes: Int) throws {
        let size = megabytes << 20
        var generator = SeededGenerator()
        for _ in 0..<500 {
            let lsn = LSN(rawValue: generator.next() >> UInt64.random(in: 0..<40, using: &generator))
            let timeline = UInt32.random(in: 1 ... .max, using: &generator)
            let segment = WALSegment(timeline: timeline, holding: lsn, size: size)
            #expect(WALSegment(fileName: segment.fileName, size: size) == segment, "seed \(generator.seed)")
            #expect(segment.startLSN <= lsn && lsn.rawValue - segment.startLSN.rawValue < UInt64(size))
            #expect(WALSegment(fileName: segment.fileName.lowercased() + "x", size: size) == nil)
        }
    }

    @Test("WAL segments are named as PostgreSQL names them", arguments: [1, 16, 64])
    func realSegments(megabytes: Int) throws {
        let cluster = try PostgresCluster(major: 15, .init(walSegmentMegabytes: megabytes))
        try cluster.start()
        for text in ["0/1", "0/15D68C0", "16/B374D848", "FFFFFFFF/1", "1/FFFFFFFF"] {
            let lsn = try #require(LSN(text))
            let segment = WALSegment(timeline: 1, holding: lsn, size: megabytes << 20)
            #expect(segment.fileName == (try cluster.psql("select pg_walfile_name('\(text)')")))
        }
    }

    @Test("what is no WAL segment")
    func noSegment() {
        for size in [0, -1, 1, 1 << 19, 3 << 20, 1 << 31, .max, .min] {
            #expect(!WALSegment.isValidSize(size))
            #expect(WALSegment(fileName: "000000010000000000000001", size: size) == nil)
        }
        for name in [
            "", "00000001000000000000000", "0000000100000000000000010", "000000010000000000000100",
            "00000001000000000000000g", "00000001000000000000000a", "000000000000000000000001",
            "000000010000000000000001.partial", "00000002.history",
        ] { #expect(WALSegment(fileName: name, size: 16 << 20) == nil) }
        #expect(WALSegment(fileName: "0000000100000000000000FF", size: 16 << 20)?.endLSN == LSN("1/0"))
        #expect(
            WALSegment(fileName: "0000000100000000000000FF", size: 16 << 20)?.next.fileName
                == "000000010000000100000000")
        #expect(TimelineHistoryFile.name(of: 10) == "0000000A.history")
        #expect(TimelineHistoryFile.timeline(ofFileName: "0000000A.history") == 10)
        for name in ["0000000a.history", "00000001.history", "0000000A.histor", "0000000A.historyy", ""] {
            #expect(TimelineHistoryFile.timeline(ofFileName: name) == nil)
        }
    }

    @Test(
        "relation file names",
        arguments: [
            ("16384", RelationFileName(relation: 16384, fork: .main, segment: 0)),
            ("16384.1", RelationFileName(relation: 16384, fork: .main, segment: 1)),
            ("1_fsm", RelationFileName(relation: 1, fork: .freeSpaceMap, segment: 0)),
            ("4294967295_vm.2", RelationFileName(relation: .max, fork: .visibilityMap, segment: 2)),
            ("16384_init", RelationFileName(relation: 16384, fork: .initialization, segment: 0)),
            ("t3_16385", RelationFileName(relation: 16385, fork: .main, segment: 0, temporaryBackend: 3)),
            (
                "t0_16385_fsm.10",
                RelationFileName(relation: 16385, fork: .freeSpaceMap, segment: 10, temporaryBackend: 0)
            ),
            ("16384.131072", RelationFileName(relation: 16384, fork: .main, segment: 131072)),
        ])
    func relationFile(text: String, name: RelationFileName) {
        #expect(RelationFileName(text) == name)
        #expect(name.description == text)
    }

    @Test(
        "names of no relation file",
        arguments: [
            "", "0", "016384", "16384.", "16384.0", "16384.01", "16384_", "16384_main", "16384_fsm_vm", "16384_fsm.",
            "4294967296", "16384.4294967296", "16384.1.1", "+1", "-1", " 1", "1 ", "t_1", "t3", "t3_", "t03_1",
            "t3_t3_1",
            "1\u{661}", "pg_filenode.map", "16384_FSM", "16384.1_fsm",
        ])
    func noRelationFile(text: String) { #expect(RelationFileName(text) == nil) }

    @Test("any text that parses prints as itself")
    func fuzz() {
        var generator = SeededGenerator()
        for _ in 0..<50_000 {
            let name = generator.text(of: "0123456789_.tfsmvinAF", limit: 12)
            if let parsed = RelationFileName(name) { #expect(parsed.description == name, "seed \(generator.seed)") }
            if let parsed = LSN(name.replacing("_", with: "/")) { #expect(LSN(parsed.description) == parsed) }
            _ = DataDirectoryPath.classify(generator.text(of: "/base16global.pg_tblspcPG_15_0", limit: 40))
        }
    }

    @Test("versions")
    func versions() throws {
        for major in 14...18 {
            #expect(try PGVersion(parsing: Array("\(major)\n".utf8)).major == major)
            #expect(try PGVersion(parsing: Array("\(major)".utf8)).major == major)
        }
        for (text, name) in [("13\n", "13"), ("9.6\n", "9.6"), ("19\n", "19"), ("015", "015")] {
            let error = #expect(throws: FormatError.self) { try PGVersion(parsing: Array(text.utf8)) }
            guard case .unsupportedVersion(let message) = error else { throw try #require(error) }
            #expect(message.contains("PostgreSQL \(name) "))
        }
        for text in ["", "\n", "15\n\n", " 15", "15 ", "x", "-15", "123456789", "\u{0}"] {
            #expect(throws: FormatError("PG_VERSION does not hold a version number")) {
                try PGVersion(parsing: Array(text.utf8))
            }
        }
    }
}
