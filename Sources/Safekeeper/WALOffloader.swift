import Logging
import ObjectStorage
import PostgresFormat
import Synchronization
import SystemPackage
import WALArchive
import WALStore

/// How offloading goes.
struct OffloadStatus: Sendable, Equatable {
    /// Behind the last segment that the archive has, with all before it that were here.
    var offloaded = LSN.invalid
    var segmentCount = 0
    /// Files that are here whole, and not known to be in the archive.
    var waitingCount = 0
    var failureCount = 0
    /// Why the last try failed; nil when it did not.
    var lastError: String?
}

/// Brings finished segments and timeline histories into the archive, oldest first, and tries for as long as it takes.
final class WALOffloader: Sendable {
    private let store: WALStore
    private let archive: WALArchiveWriter
    private let parallel: Int
    private let logger: Logger
    private let current = Mutex(OffloadStatus())
    /// What the archive is known to have.
    private let stored: OffloadRecord

    /// How far the archive has the segment that is being written.
    private let unfinished = Mutex(LSN.invalid)
    /// Segments whose beginnings may be in the archive, and are to be taken away when they are full.
    private let begun = Mutex<[WALSegment: UnfinishedSegment]>([:])

    init(store: WALStore, archive: WALArchiveWriter, record: OffloadRecord, parallel: Int, logger: Logger) {
        self.store = store
        self.archive = archive
        stored = record
        self.parallel = parallel
        self.logger = logger
    }

    var status: OffloadStatus { current.withLock { $0 } }

    /// Whether more waits than is brought at once: what can wait should.
    var isBehind: Bool { current.withLock { $0.waitingCount > parallel } }

    /// How many segments are taken in one go: what failed is tried again after each.
    private static let batchCount = 64
    private static let firstPause = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(30)

    /// Offloads until the task is cancelled.
    func run() async throws {
        var pause = Self.firstPause
        var hasLookedBack = false
        while true {
            let position = store.position
            do {
                if !hasLookedBack {
                    // A process that was killed may have left beginnings of the last ones.
                    let last = try await BlockingWork.run { [store] _ in try store.segments().suffix(2) }
                    begun.withLock { for segment in last { $0[segment] = UnfinishedSegment(segment) } }
                    hasLookedBack = true
                }
                if let first = stored.recorded.min() { stored.confirm(try await archive.reader.names(from: first)) }
                let isDone = try await offloadBatch()
                pause = Self.firstPause
                guard isDone else { continue }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                note(error)
                try await Task.sleep(for: pause)
                pause = min(pause * 2, Self.longestPause)
                continue
            }
            // Until the segment that is being written is full, or its timeline has ended.
            if let position {
                let segment = WALSegment(
                    timeline: position.timeline, holding: position.flushed, size: store.identity.segmentSize)
                try await store.waitForWAL(
                    beyond: LSN(rawValue: segment.endLSN.rawValue - 1), timeline: position.timeline)
            } else {
                try await store.waitForWAL(beyond: .invalid, timeline: 0)
            }
        }
    }

    /// Brings what there is of the segment that is being written into the archive, every `interval`, until the task is
    /// cancelled.
    func runUnfinished(every interval: Duration) async throws {
        while true {
            try await Task.sleep(for: interval)
            do { try await offloadUnfinished() } catch is CancellationError { throw CancellationError() } catch {
                note(error)
            }
        }
    }

    /// Brings all that is here into the archive: before the end. What fails waits for the next start.
    func finish() async {
        do {
            while try await !offloadBatch() {}
            try await offloadUnfinished()
        } catch {
            let (offloaded, flushed) = (status.offloaded, store.position?.flushed ?? .invalid)
            let start = offloaded == .invalid ? "" : " from \(offloaded)"
            logger.warning("WAL\(start) up to \(flushed) stays on this disk alone until the next start: \(error)")
        }
    }

    private func note(_ error: any Error) {
        if status.lastError == nil { logger.error("cannot offload WAL: \(error); trying on") }
        current.withLock { status in
            status.failureCount += 1
            status.lastError = "\(error)"
        }
    }

    private func offloadUnfinished() async throws {
        guard let position = store.position else { return }
        let segment = WALSegment(
            timeline: position.timeline, holding: position.flushed, size: store.identity.segmentSize)
        guard position.flushed > segment.startLSN, unfinished.withLock({ $0 < position.flushed }) else { return }
        // It belongs behind the others: where one of them is refused, the archive is another history's.
        guard try await BlockingWork.run({ [self] _ in try waiting() }).isEmpty else { return }
        var beginning = begun.withLock { $0[segment] } ?? UnfinishedSegment(segment)
        // Also after a failure: what was put may be there.
        defer { begun.withLock { [beginning] in $0[segment] = beginning } }
        try await archive.pushUnfinished(store.file(of: segment).string, &beginning, end: position.flushed)
        unfinished.withLock { $0 = position.flushed }
        current.withLock { $0.offloaded = max($0.offloaded, position.flushed) }
    }

    /// Takes away beginnings of segments that the archive has whole.
    private func removeBegun() async throws {
        for (segment, beginning) in begun.withLock({ $0 }) where has(segment) {
            try await archive.removeUnfinished(store.file(of: segment).string, beginning)
            begun.withLock { $0[segment] = nil }
        }
    }

    /// - Returns: Whether there was nothing more to offload.
    private func offloadBatch() async throws -> Bool {
        let files = try await BlockingWork.run { [self] _ in try waiting() }
        let batch = Array(files.prefix(Self.batchCount))
        current.withLock { $0.waitingCount = files.count }
        var fault: (any Error)?
        var isUnbroken = true
        await archive.offload(batch, parallel: parallel) { file, result in
            switch result {
            case .success:
                stored.insert(file.name)
                current.withLock {
                    $0.waitingCount -= 1
                    $0.segmentCount += file.name.segment(size: store.identity.segmentSize) == nil ? 0 : 1
                }
            case .failure(let error):
                isUnbroken = false
                if fault == nil { fault = error }
            }
        }
        try await BlockingWork.run { [self] _ in try advance() }
        if let fault { throw fault }
        try await removeBegun()
        if isUnbroken { current.withLock { $0.lastError = nil } }
        return files.count <= Self.batchCount
    }

    /// What is here whole, and not known to be in the archive; in the order of need: a segment of a timeline is of no
    /// use without the timeline's history.
    private func waiting() throws -> [LocalWAL] {
        guard let position = store.position else { return [] }
        let known = stored.names
        var files: [LocalWAL] = []
        var timeline: TimelineID = 0
        for segment in try store.segments() {
            if segment.timeline != timeline {
                timeline = segment.timeline
                let history = WALFileName(TimelineHistoryFile.name(of: timeline))
                if let history, !known.contains(history), try store.history(of: timeline) != nil {
                    files.append(LocalWAL(path: store.path.appending(history.text).string, name: history))
                }
            }
            guard store.isFinished(segment, position) else { continue }
            let name = WALFileName(segment)
            if !known.contains(name) { files.append(LocalWAL(path: store.file(of: segment).string, name: name)) }
        }
        return files
    }

    private func advance() throws {
        guard let position = store.position else { return }
        let known = stored.names
        var offloaded = LSN.invalid
        for segment in try store.segments() where segment.timeline == position.timeline {
            guard known.contains(WALFileName(segment)) else { break }
            offloaded = segment.endLSN
        }
        guard offloaded != .invalid else { return }
        current.withLock { $0.offloaded = max($0.offloaded, offloaded) }
    }

    /// Forgets what is not here any more.
    func forget(_ segments: [WALSegment]) { stored.remove(segments.lazy.map { WALFileName($0) }) }

    func has(_ segment: WALSegment) -> Bool { stored.contains(WALFileName(segment)) }
}
