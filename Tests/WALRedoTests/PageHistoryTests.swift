import PostgresFormat
import Testing

@testable import WALRedo

@Suite("A page's history")
struct PageHistoryTests {
    private static let relation = RelationLocator(tablespace: 1663, database: 5, relation: 16384)
    private static let page = PageKey(fork: relation.fork(.main), block: 5)
    private static let segment = WALSegment(timeline: 1, number: 1, size: 1 << 20)

    /// Records about the page before a change of files, and behind it.
    private func history(_ change: WALPageIndex.FileChange.Kind) throws -> PageHistory {
        let lsn = WALPageIndex.lsn(20, Self.segment)
        let encoder = WALPageIndexEncoder(
            segment: Self.segment, major: 15, end: Self.segment.endLSN, newestXid: 0, forks: [Self.page.fork],
            fileChanges: [WALPageIndex.FileChange(lsn: lsn, kind: change)], effectUnits: [20])
        let entries = [10, 30].map { unit in
            PageEntry(fork: 0, block: 5, position: PackedPosition(unit: unit, flags: 0).rawValue)
        }
        let index = try WALPageIndex(parsing: entries.withUnsafeBufferPointer { encoder.encode($0) })
        #expect(index.fileChanges.map(\.kind) == [change])
        return try PageHistory(of: Self.page, before: Self.segment.endLSN, in: [index])
    }

    @Test("it does not reach back over a page that was another one before")
    func barriers() throws {
        let own = DatabaseDirectory(tablespace: 1663, database: 5)
        let changes: [WALPageIndex.FileChange.Kind] = [
            .dropped(Self.relation), .databaseDropped(own), .databaseCreated(own),
            .truncated(Self.relation, blocks: 5, forks: [.main, .visibilityMap]),
        ]
        for change in changes {
            let found = try history(change)
            #expect(found.origin == .nothing && found.steps.count == 1, "\(change): \(found)")
        }
    }

    @Test("it goes on over what leaves the page as it is")
    func others() throws {
        var other = Self.relation
        other.relation += 1
        let changes: [WALPageIndex.FileChange.Kind] = [
            .dropped(other), .created(Self.page.fork),
            .databaseDropped(DatabaseDirectory(tablespace: 1663, database: 6)),
            .truncated(Self.relation, blocks: 6, forks: [.main]),
            .truncated(Self.relation, blocks: 0, forks: [.freeSpaceMap]),
        ]
        for change in changes {
            let found = try history(change)
            #expect(found.origin == .base(Self.page) && found.steps.count == 2, "\(change): \(found)")
        }
    }

    @Test("it goes on with the page that was copied")
    func copies() throws {
        let source = DatabaseDirectory(tablespace: 1663, database: 4)
        let found = try history(.databaseCopied(DatabaseDirectory(tablespace: 1663, database: 5), from: source))
        var page = Self.page
        page.fork.database = 4
        #expect(found.origin == .base(page) && found.steps.count == 1, "\(found)")
    }

    @Test("an index that is missing is an error")
    func gaps() throws {
        let indexes = try [UInt64(1), 3].map { number in
            let segment = WALSegment(timeline: 1, number: number, size: 1 << 20)
            let encoder = WALPageIndexEncoder(
                segment: segment, major: 15, end: segment.endLSN, newestXid: 0, forks: [], fileChanges: [],
                effectUnits: [])
            return try WALPageIndex(parsing: encoder.encode(UnsafeBufferPointer(start: nil, count: 0)))
        }
        let end = indexes[1].end
        #expect(throws: FormatError.self) { try PageHistory(of: Self.page, before: end, in: indexes) }
        #expect(throws: FormatError.self) {
            try PageHistory(of: Self.page, before: LSN(rawValue: end.rawValue + 8), in: [indexes[1]])
        }
    }
}
