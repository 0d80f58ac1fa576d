import Glibc
public import PostgresFormat
import Synchronization
public import SystemPackage

/// The WAL of one cluster on the local disk: one writes, any number read what is durable.
///
/// Everything that is told of it ends with a whole record: what comes after the last one could be written anew after a
/// crash, and no transaction waits for it.
public final class WALStore: Sendable {
    /// How far it goes.
    public struct Position: Sendable, Equatable {
        /// The newest PostgreSQL timeline that has WAL here.
        public let timeline: TimelineID
        /// Behind the last whole record that is on disk, whatever becomes of this machine's memory.
        public let flushed: LSN

        public init(timeline: TimelineID, flushed: LSN) { (self.timeline, self.flushed) = (timeline, flushed) }
    }

    private struct Waiter {
        let timeline: TimelineID
        let lsn: LSN
        let continuation: CheckedContinuation<Void, any Error>
    }
    private struct State {
        var position: Position?
        /// The last record was a switch: what is left of its segment is zeros.
        var isUnused = false
        var waiters: [Int: Waiter] = [:]
        var nextWaiter = 0
        var isClosed = false
    }

    public let identity: ClusterIdentity
    public var path: FilePath { directory.path }
    let directory: WALDirectory
    private let state = Mutex(State())

    /// Opens the directory, which must exist, and finds where its WAL ends: all records of the last two segments are
    /// checked. It reads and blocks.
    ///
    /// - Throws: `.damaged` where WAL ends before the last segment does begin, or is another cluster's.
    public init(path: FilePath, identity: ClusterIdentity) throws(WALStoreError) {
        self.identity = identity
        directory = WALDirectory(path: path, identity: identity)
        try directory.removeUnfinished()
        let found = try directory.findEnd()
        state.withLock { ($0.position, $0.isUnused) = (found?.position, found?.isUnused ?? false) }
    }

    /// Nil while there is none.
    public var position: Position? { state.withLock(\.position) }
    /// The same, and whether the last record was a switch to the next segment.
    var end: (position: Position?, isUnused: Bool) { state.withLock { ($0.position, $0.isUnused) } }

    /// All segments that are here, by timeline and number. The last one is not full as a rule. It blocks.
    public func segments() throws(WALStoreError) -> [WALSegment] { try directory.segments() }

    /// The content of a timeline's history file; nil where there is none. It blocks.
    public func history(of timeline: TimelineID) throws(WALStoreError) -> [UInt8]? {
        try directory.history(of: timeline)
    }

    public func file(of segment: WALSegment) -> FilePath { directory.file(segment) }

    /// Takes segments away. It blocks.
    public func remove(_ segments: [WALSegment]) throws(WALStoreError) {
        for segment in segments { try directory.remove(segment) }
    }

    // MARK: - Waiting

    /// Returns when WAL goes beyond `lsn`, or on another timeline than this one.
    ///
    /// - Throws: `CancellationError`, also when the store is closed.
    public func waitForWAL(beyond lsn: LSN, timeline: TimelineID) async throws {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if state.isClosed || Task.isCancelled { return .failure(CancellationError()) }
                    let waiter = Waiter(timeline: timeline, lsn: lsn, continuation: continuation)
                    if Self.isOver(waiter, state.position) { return .success(()) }
                    state.waiters[number] = waiter
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.continuation.resume(
                throwing: CancellationError())
        }
    }

    /// Ends all waiting, now and from now on.
    public func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.continuation.resume(throwing: CancellationError()) }
    }

    private static func isOver(_ waiter: Waiter, _ position: Position?) -> Bool {
        guard let position else { return false }
        return position.timeline != waiter.timeline || position.flushed > waiter.lsn
    }

    /// Called by the writer alone.
    func advance(to position: Position, isUnused: Bool) {
        let ready = state.withLock { state in
            (state.position, state.isUnused) = (position, isUnused)
            let ready = state.waiters.filter { Self.isOver($0.value, position) }
            for number in ready.keys { state.waiters[number] = nil }
            return ready.values
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    // MARK: - Reading

    /// Reads durable WAL of `timeline` from `lsn`, at most to the end of the segment. It blocks.
    ///
    /// - Returns: The bytes read; 0 at the end of what is durable.
    /// - Throws: `.removed` where the segment is not here.
    public func read(
        timeline: TimelineID, from lsn: LSN, into buffer: UnsafeMutableRawBufferPointer
    ) throws(WALStoreError) -> Int {
        let segment = WALSegment(timeline: timeline, holding: lsn, size: identity.segmentSize)
        guard let position, timeline <= position.timeline else { throw .removed(segment: segment.fileName) }
        var limit = segment.endLSN
        if timeline == position.timeline { limit = min(limit, position.flushed) }
        guard lsn < limit else { return 0 }
        let wanted = min(buffer.count, Int(limit.rawValue - lsn.rawValue))
        let path = directory.file(segment)
        do throws(Errno) {
            let file = try retrying { try FileDescriptor.open(path, .readOnly, options: .closeOnExec) }
            defer { try? file.close() }
            let count = try file.readFully(
                at: Int(lsn.rawValue - segment.startLSN.rawValue),
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
            guard count == wanted else { throw Errno.ioError }  // shorter than a segment is
            return count
        } catch {
            if error == .noSuchFileOrDirectory { throw .removed(segment: segment.fileName) }
            throw WALStoreError("reading \(path)", error)
        }
    }
}
