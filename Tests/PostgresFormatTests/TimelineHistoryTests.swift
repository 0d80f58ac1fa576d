import PostgresFormat
import Testing

@Suite("Timeline histories")
struct TimelineHistoryTests {
    private func parse(_ text: String, _ timeline: TimelineID = 4) throws -> TimelineHistory {
        try TimelineHistory(parsing: Array(text.utf8), timeline: timeline)
    }

    @Test("forebears, where each was left, and which followed")
    func forebears() throws {
        let history = try parse("1\t0/5000\tno recovery target specified\n\n# by hand\n3\t0/7000\tafter LSN 0/7000\n")
        #expect(history.entries.map(\.timeline) == [1, 3])
        #expect(history.end(of: 1) == LSN("0/5000") && history.end(of: 3) == LSN("0/7000"))
        #expect(history.end(of: 2) == nil && history.end(of: 4) == nil)
        #expect(history.successor(of: 1) == 3 && history.successor(of: 3) == 4 && history.successor(of: 2) == nil)
    }

    @Test(
        "what is no history",
        arguments: [
            "1", "x\t0/1", "1\tx", "4\t0/1", "9\t0/1", "2\t0/1\n1\t0/2", "1\t0/2\n2\t0/1", "0\t0/1", "1\t0/1\n1\t0/2",
        ])
    func refused(text: String) {
        #expect(throws: FormatError.self) { try parse(text) }
    }
}
