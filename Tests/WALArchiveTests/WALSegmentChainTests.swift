import PostgresFormat
import Testing
import WALArchive

@Suite("The chain of segments")
struct WALSegmentChainTests {
    @Test("goes from a timeline into the next, whose file begins with a copy")
    func candidates() throws {
        let history = try TimelineHistory(
            parsing: Array("1\t0/2500000\tno recovery target\n3\t0/5000000\tno recovery target\n".utf8), timeline: 4)
        let chain = WALSegmentChain(timeline: 4, history: history, segmentSize: 16 << 20)
        func names(_ number: UInt64) -> [String] {
            chain.candidates(number: number).map { candidate in
                "\(candidate.segment.timeline)" + (candidate.end.map { " to \($0)" } ?? "")
            }
        }
        #expect(names(1) == ["1"])
        // Timeline 1 was left in the middle of segment 2, timeline 3 where segment 5 begins.
        #expect(names(2) == ["3", "1 to 0/2500000"])
        #expect(names(4) == ["3"])
        #expect(names(5) == ["4"])
        #expect(chain.contains(1) && chain.contains(4) && !chain.contains(2))
        let alone = WALSegmentChain(timeline: 4, history: nil, segmentSize: 16 << 20)
        #expect(alone.candidates(number: 1).map(\.segment.timeline) == [4])
    }
}
