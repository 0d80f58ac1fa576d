import PostgresFormat
import Testing
import WALArchive

@Suite("names of WAL files")
struct FileNameTests {
    @Test(
        "what PostgreSQL archives",
        arguments: [
            ("000000010000000000000001", WALFileName.Kind.segment, 1),
            ("0000000A00000001000000FF", .segment, 10),
            ("000000010000000000000FFF", .segment, 1),
            ("000000020000000000000001.partial", .partial, 2),
            ("00000002.history", .history, 2), ("00000001.history", .history, 1),
            ("000000010000000000000002.00000028.backup", .backup, 1),
        ] as [(String, WALFileName.Kind, UInt32)])
    func known(text: String, kind: WALFileName.Kind, timeline: UInt32) throws {
        let name = try #require(WALFileName(text))
        #expect(name.kind == kind && name.timeline == timeline && name.description == text)
    }

    @Test(
        "everything else",
        arguments: [
            "", "0", "0000000a.history", "00000002.histor", "00000000.history", "00000001000000000000000",
            "0000000100000000000000011", "000000000000000000000001", "00000001000000000000000a",
            "000000010000000000001000", "000000010000000000000001.part", "000000010000000000000001.0000028.backup",
            "000000010000000000000001.0000002x.backup", "000000010000000000000001_delta", "RECOVERYXLOG",
            "000000010000000000000001.00000028.backup.partial", "../00000002.history", "00000001000000000000000\u{661}",
        ])
    func unknown(text: String) { #expect(WALFileName(text) == nil) }

    @Test("a name is a segment of one size, not of another")
    func sizes() {
        #expect(name("000000010000000000000040").segment(size: 64 << 20) == nil)
        #expect(name("000000010000000200000001").segment(size: 64 << 20)?.number == 129)
        #expect(name("00000002.history").segment(size: 16 << 20) == nil)
    }
}
