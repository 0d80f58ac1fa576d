import Glibc
import Logging
import ObjectStorage
import PostgresFormat
import Synchronization
import SystemPackage
import WALIndexes
import WALRedo
import WALStore

/// How keeping page indexes goes.
struct IndexStatus: Sendable {
    var failureCount = 0
    /// Why the last try failed; nil when it did not.
    var lastError: String?
}

/// Keeps a page index of each segment that is here and in storage, and brings it to storage as well. No WAL waits for an
/// index: none is made of a segment that is still to be offloaded, nor while many are.
final class WALIndexer: Sendable {
    private struct State {
        /// Whose index is here.
        var kept: Set<WALSegment> = []
        /// Whose index storage has.
        var stored: Set<WALSegment> = []
        /// Segments that are not here any more, whose indexes are.
        var orphaned: [WALSegment] = []
        /// What storage had at the start: bytes by names.
        var listed: [String: Int]?
        var hasLookedBack = false
        var status = IndexStatus()
    }
    private let store: WALStore
    private let directory: FilePath
    private let local: WALIndexReader
    private let archive: WALIndexWriter?
    private let canFollow: @Sendable (WALSegment) -> Bool
    private let scan: Mutex<LocalSegmentScan>
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - directory: Where indexes are kept here, an absolute path. It need not exist.
    ///   - archive: Nil: they stay here.
    ///   - canFollow: Whether storage has a segment, and WAL that is still to be offloaded leaves time for its index.
    init(
        store: WALStore, directory: FilePath, archive: WALIndexWriter?,
        canFollow: @escaping @Sendable (WALSegment) -> Bool, logger: Logger
    ) {
        self.store = store
        self.directory = directory
        local = WALIndexReader(FileObjectStore(root: directory.string))
        self.archive = archive
        self.canFollow = canFollow
        scan = Mutex(LocalSegmentScan(store))
        self.logger = logger
    }

    var status: IndexStatus { state.withLock(\.status) }

    private static let interval = Duration.seconds(1)
    private static let longestPause = Duration.seconds(30)

    /// Works until the task is cancelled.
    func run() async throws {
        var pause = Self.interval
        while true {
            do {
                try await work()
                state.withLock { $0.status.lastError = nil }
                pause = Self.interval
            } catch {
                try Task.checkCancellation()
                note(error)
                pause = min(pause * 2, Self.longestPause)
            }
            try await Task.sleep(for: pause)
        }
    }

    /// Brings to storage what is only here: before the end. What fails waits for the next start.
    func finish() async {
        do { try await work() } catch {
            guard !Task.isCancelled else { return }  // WAL has taken the time that there was
            logger.warning("page indexes are missing until the next start: \(error)")
        }
    }

    private func note(_ error: any Error) {
        if status.lastError == nil { logger.error("cannot keep page indexes: \(error); trying on") }
        state.withLock { state in
            state.status.failureCount += 1
            state.status.lastError = "\(error)"
        }
    }

    /// - Throws: What went wrong first. A segment without an index keeps no other from having one.
    private func work() async throws {
        try await removeOrphans()
        let finished = try await BlockingWork.run { [self] _ in try finishedSegments() }
        if !state.withLock(\.hasLookedBack) { try await lookBack(finished) }
        var fault: (any Error)?
        for segment in finished where isDue(segment) {
            do { try await keep(segment) } catch {
                try Task.checkCancellation()
                fault = fault ?? error
            }
        }
        try await offload(finished)
        if let fault { throw fault }
    }

    private func isDue(_ segment: WALSegment) -> Bool {
        (archive == nil || canFollow(segment)) && !state.withLock { $0.kept.contains(segment) }
    }

    private func finishedSegments() throws -> [WALSegment] {
        guard let position = store.position else { return [] }
        let kept = state.withLock(\.kept)
        return try store.segments().filter { kept.contains($0) || store.isFinished($0, position) }
    }

    /// Takes away what is here of segments that are not: they may be received anew, and be others then.
    private func lookBack(_ finished: [WALSegment]) async throws {
        let names = Set(finished.map(\.fileName))
        var leftOver: [FilePath] = []
        for try await info in local.store.listAll() where !names.contains(info.key.text) {
            leftOver.append(directory.appending(info.key.text))
        }
        try await BlockingWork.run { [directory, leftOver] _ in
            guard mkdir(directory.string, 0o750) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
            for path in leftOver { unlink(path.string) }
        }
        state.withLock { $0.hasLookedBack = true }
    }

    /// Has the index here: as it is, or made anew.
    private func keep(_ segment: WALSegment) async throws {
        if case .sound = try await local.find(segment) {
            noteKept(segment)
            return
        }
        do {
            try await BlockingWork.run { [self] cancellation in
                let index = try scan.withLock { try $0.index(of: segment, cancellation) }
                try writeDurably(index.bytes, to: directory.appending(segment.fileName))
            }
        } catch WALStoreError.removed(let name) where name == segment.fileName { return }
        noteKept(segment)
    }

    private func noteKept(_ segment: WALSegment) { _ = state.withLock { $0.kept.insert(segment) } }

    private func offload(_ finished: [WALSegment]) async throws {
        guard let archive, let first = finished.first else { return }
        if state.withLock({ $0.listed == nil }) {
            let sizes = try await archive.reader.sizes(from: first)
            state.withLock { $0.listed = sizes }
        }
        for segment in finished where canFollow(segment) {
            let (isWaiting, size) = state.withLock { state in
                (
                    state.kept.contains(segment) && !state.stored.contains(segment),
                    state.listed?.removeValue(forKey: segment.fileName)
                )
            }
            guard isWaiting else { continue }
            guard case .sound(let index) = try await local.find(segment) else {
                _ = state.withLock { $0.kept.remove(segment) }  // and it is made anew
                continue
            }
            if size != index.bytes.count { try await archive.put(index) }
            _ = state.withLock { $0.stored.insert(segment) }
        }
    }

    // MARK: - Removal

    /// Whether storage will have the segment's index soon, and not without the segment.
    func needs(_ segment: WALSegment) -> Bool {
        guard archive != nil else { return false }
        return state.withLock { $0.status.lastError == nil && !$0.stored.contains(segment) }
    }

    /// Takes away indexes whose segments are not here any more. It blocks.
    func forget(_ segments: [WALSegment]) {
        // Once more later: one of them may be being made.
        state.withLock { $0.orphaned += segments }
        removeLocal(segments)
    }

    private func removeLocal(_ segments: [WALSegment]) {
        for segment in segments { unlink(directory.appending(segment.fileName).string) }
    }

    private func removeOrphans() async throws {
        let orphaned = state.withLock { state in
            defer { state.orphaned = [] }
            state.kept.subtract(state.orphaned)
            state.stored.subtract(state.orphaned)
            return state.orphaned
        }
        guard !orphaned.isEmpty else { return }
        try await BlockingWork.run { [self] _ in removeLocal(orphaned) }
    }
}
