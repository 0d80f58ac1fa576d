public import PostgresFormat
import Synchronization
public import WALArchive
public import WALRedo

/// Makes page indexes from the segments of an archive. Memory is that of one index and the longest record, and is used
/// again for the next one.
public final class WALIndexMaker: Sendable {
    private let archive: WALArchiveReader
    private let chain: WALSegmentChain
    private let major: Int
    private let spare = Mutex<ArchivedSegmentScan?>(nil)

    /// - Parameters:
    ///   - chain: Tells which segment follows where a timeline was left.
    ///   - major: PostgreSQL's version, 14 to 18.
    public init(_ archive: WALArchiveReader, chain: WALSegmentChain, major: Int) {
        self.archive = archive
        self.chain = chain
        self.major = major
    }

    /// - Returns: Nil where the segment, or its last record, is not there whole.
    /// - Throws: `WALArchiveError` where the archive's content is damaged, `FormatError` or `RedoFault` where the WAL is,
    ///   `ObjectStoreError`.
    public func index(of segment: WALSegment) async throws -> WALPageIndex? {
        let scan = spare.withLock { $0.take() } ?? ArchivedSegmentScan(segment, major: major)
        defer { spare.withLock { $0 = scan } }
        scan.begin(segment)
        guard try await archive.read(WALFileName(segment), { try scan.take($0) }), scan.isWhole else { return nil }
        var number = segment.number + 1
        while scan.needsMore, try await takeFollowing(segment, number, scan) { number += 1 }
        return scan.isComplete ? scan.finish() : nil
    }

    /// The last record may go on in any number of segments.
    private func takeFollowing(
        _ segment: WALSegment, _ number: UInt64, _ scan: ArchivedSegmentScan
    ) async throws -> Bool {
        let own = WALSegment(timeline: segment.timeline, number: number, size: segment.size)
        // A timeline's first segment begins with a copy of what the one before has.
        let others = chain.candidates(number: number).map(\.segment).filter { $0.timeline > segment.timeline }
        for candidate in [own] + others {
            let name = WALFileName(candidate)
            if try await archive.read(name, takesUnfinished: true, { try scan.take($0) }) { return true }
        }
        return false
    }
}

/// One segment's bytes on their way into an index.
///
/// - Note: Not guarded: who reads an object hands its pieces over one by one, and waits for each.
private final class ArchivedSegmentScan: @unchecked Sendable {
    private let major: Int
    private var scan: WALPageIndexScan
    /// The beginning of the first page.
    private var head: [UInt8] = []

    init(_ segment: WALSegment, major: Int) {
        self.major = major
        scan = WALPageIndexScan(segment, major: major)
    }

    var isWhole: Bool { scan.isWhole }
    var isComplete: Bool { scan.isComplete }
    var needsMore: Bool { scan.needsMore }

    func begin(_ segment: WALSegment) {
        scan.begin(segment)
        head = []
    }

    /// - Returns: Whether more is of use.
    func take(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
        if head.count < WALPageHeader.longSize {
            head += bytes.prefix(WALPageHeader.longSize - head.count)
            try checkVersion()
        }
        try scan.take(bytes)
        return scan.needsMore
    }

    /// Records of another version would be taken for what they are not.
    private func checkVersion() throws(FormatError) {
        guard head.count == WALPageHeader.longSize else { return }
        let magic = UInt16(head[0]) | UInt16(head[1]) << 8
        guard magic == WALPageHeader.magics[major] else {
            throw .invalid("\(scan.segment) is not of PostgreSQL \(major)")
        }
    }

    func finish() -> WALPageIndex { scan.finish() }
}
