import ObjectStorage
import PostgresFormat
import WALRedo
import WALStore

/// Makes page indexes of segments that are here, one after the other in the same memory.
struct LocalSegmentScan: ~Copyable {
    private let store: WALStore
    private var scan: WALPageIndexScan
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)

    init(_ store: WALStore) {
        self.store = store
        let identity = store.identity
        scan = WALPageIndexScan(WALSegment(timeline: 1, number: 0, size: identity.segmentSize), major: identity.major)
    }

    deinit { buffer.deallocate() }

    /// It reads and blocks.
    ///
    /// - Throws: `FormatError` or `RedoFault` where the segment's WAL is damaged, `WALStoreError`.
    mutating func index(of segment: WALSegment, _ cancellation: BlockingWork.Cancellation) throws -> WALPageIndex {
        scan.begin(segment)
        var position = segment.startLSN
        while scan.needsMore {
            try cancellation.check()
            let count = try read(segment, position)
            guard count > 0 else { break }
            try scan.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            position.rawValue += UInt64(count)
        }
        guard scan.isComplete else { throw FormatError("the last record of \(segment) is not here") }
        return scan.finish()
    }

    private func read(_ segment: WALSegment, _ position: LSN) throws(WALStoreError) -> Int {
        do { return try store.read(timeline: segment.timeline, from: position, into: buffer) } catch {
            // A record may end on the timeline that followed: its first segment begins with a copy.
            guard case .removed = error, position >= segment.endLSN, let newest = store.position?.timeline,
                newest > segment.timeline
            else { throw error }
            return try store.read(timeline: newest, from: position, into: buffer)
        }
    }
}
