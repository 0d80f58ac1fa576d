public import PostgresFormat
public import SystemPackage
import WALRedo

/// Replays WAL over a data directory, which stays as it is, and compares each page with the image of it that the record
/// carries, where the server wrote with `wal_consistency_checking`.
public final class ClusterReplay {
    let major: Int
    let pages: ClusterPages
    let logs: ClusterLogs
    private let hasBase: Bool
    let redo: PageRedo
    private let effects: RecordEffects
    private var found: [RecordEffect] = []
    private var check = PageCheck()
    private var tracksCommitTimestamps: Bool
    /// What the control file has to say, and what a server that goes on from here begins with; nil without a base.
    public private(set) var control: ControlValues?
    /// Content of `pg_filenode.map` that was replaced.
    private(set) var relationMaps: [DatabaseDirectory: [UInt8]] = [:]
    /// What the files in `pg_twophase` have, by transaction.
    private(set) var prepared: [UInt32: [UInt8]] = [:]
    /// Pages that a record changes, and that are not there: they must be gone at the end.
    private var absent: [PageKey: LSN] = [:]
    public private(set) var report = ReplayReport()

    /// - Parameters:
    ///   - base: Nil: a page is known from the first record on that makes it anew or has its image.
    ///   - logsHints: Nil: as the base has it.
    ///   - scratch: A directory for a file with the pages that were changed.
    /// - Throws: `Errno`.
    public init(base: BaseDirectory?, major: Int, logsHints: Bool? = nil, scratch: FilePath) throws {
        self.major = major
        hasBase = base != nil
        pages = try ClusterPages(base: base, scratch: scratch)
        logs = try ClusterLogs(base: base, scratch: scratch)
        control = base.map { ControlValues($0.control) }
        redo = PageRedo(
            major: major,
            logsHints: logsHints ?? (base?.control).map { $0.dataChecksumVersion != 0 || $0.walLogHints } ?? true)
        effects = RecordEffects(major: major)
        tracksCommitTimestamps = base?.control.trackCommitTimestamp ?? false
    }

    /// Redoes the next record.
    ///
    /// - Throws: `Errno` where base or scratch cannot be read or written. What is wrong with the record is in `report`.
    public func take(_ record: WALRecord) throws {
        report.records += 1
        do {
            found.removeAll(keepingCapacity: true)
            try effects.append(of: record, to: &found)
            for change in try VisibilityChange.all(record) { try clear(change, record) }
        } catch let fault as RedoFault {
            report.note(ReplayFault(record, major: major, page: nil, reason: fault.reason))
        }
        for index in record.blocks.indices { try redoBlock(record, index) }
        for effect in found {
            if case .checkpoint(let checkpoint, isShutdown: true) = effect { compare(with: checkpoint, record) }
            control?.apply(effect, of: record)
            try apply(effect)
        }
        control?.end = record.endLSN
    }

    /// A server that shuts down says what it has given out.
    private func compare(with checkpoint: CheckpointCopy, _ record: WALRecord) {
        guard let control else { return }
        report.checkpoints += 1
        for reason in control.contradictions(of: checkpoint) {
            report.note(ReplayFault(record, major: major, page: nil, reason: reason))
        }
    }

    /// What WAL ends with: pages that records changed though they are not there are faults.
    public func finish() {
        for (page, lsn) in absent.sorted(by: { $0.value < $1.value }) {
            report.note(ReplayFault(lsn: lsn, manager: nil, type: "", page: page, reason: "the page is not there"))
        }
        absent = [:]
    }

    // MARK: - Pages

    private func redoBlock(_ record: WALRecord, _ index: Int) throws {
        let block = record.blocks[index]
        let key = block.page
        let isNew = block.initializes || block.image?.applies == true
        // Maps are made by the first record that needs them.
        let isMade = isNew || hasBase && (block.fork == .visibilityMap || block.fork == .freeSpaceMap)
        let bytes =
            isMade ? try pages.made(key, for: record.manager) : try pages.existing(key, for: record.manager)
        guard let bytes, isMade || !Page(bytes).isNew else {
            // As in PostgreSQL's own recovery, of a backup above all, that may be true of what is dropped later.
            if hasBase { absent[key] = absent[key] ?? record.startLSN }
            return report.count(record.manager) { $0.unknown += 1 }
        }
        do {
            let outcome = try redo.apply(record, index, to: RedoPage(bytes))
            if let change = try FreeSpaceChange.after(record, block, outcome, RedoPage(bytes), major: major) {
                let map = PageKey(fork: change.relation.fork(.freeSpaceMap), block: change.block)
                change.apply(to: RedoPage(try pages.made(map, for: record.manager)))
            }
            report.count(record.manager) { $0.redone += 1 }
            guard outcome == .initialized || outcome == .changed, record.hasConsistencyImages, let image = block.image,
                ConsistencyMask.exists(for: record.manager)
            else { return }
            report.countCompared(record.manager, record.operation)
            let differences = try check.differences(bytes, image, record.manager, block: block.block)
            guard !differences.isEmpty else { return }
            report.note(ReplayFault(record, major: major, page: key, differences: differences))
        } catch let fault as RedoFault {
            report.note(ReplayFault(record, major: major, page: key, reason: fault.reason))
        }
        // What is wrong is told once: what follows goes on from the server's own page, or from the next image.
        if let image = block.image, (try? image.restore(to: bytes)) != nil {
            RedoPage(bytes).lsn = record.endLSN
        } else {
            pages.forget(key)
        }
    }

    /// Servers without a reference to the map's page in the record.
    private func clear(_ change: VisibilityChange, _ record: WALRecord) throws {
        let key = PageKey(fork: change.relation.fork(.visibilityMap), block: change.block)
        guard !change.isReferenced(by: record), let bytes = try pages.existing(key, for: record.manager) else { return }
        _ = change.apply(to: RedoPage(bytes))
    }

    // MARK: - Everything else

    private func apply(_ effect: RecordEffect) throws {
        switch effect {
        case .relationCreated(let relation, let fork): try pages.create(relation.fork(fork))
        case .relationTruncated(let relation, let blocks, let forks): try truncate(relation, blocks, forks)
        case .relationDropped(let relation):
            pages.drop(relation)
            forgetAbsent { $0.fork.locator == relation }
        case .databaseCreated(let directory), .databaseDropped(let directory):
            pages.drop(directory)
            relationMaps[directory] = nil
            forgetAbsent { $0.fork.isIn(directory) }
        case .databaseCopied(let target, let source):
            try pages.copy(source, to: target)
            relationMaps[target] = relationMaps[source]
        case .relationMapReplaced(let directory, let content): relationMaps[directory] = Array(content)
        case .slru(let change):
            if change.kind != .commitTimestamps || tracksCommitTimestamps { try logs.apply(change) }
        case .slruTruncated(let kind, let page): try logs.truncate(kind, before: page)
        case .multixactMembersTruncated(let from, let to): try logs.remove(.multixactMembers, from: from, to: to)
        case .transactionPrepared(let xid, let state): prepared[xid] = Array(state)
        case .preparedTransactionEnded(let xid): prepared[xid] = nil
        case .parametersChanged(let parameters):
            if tracksCommitTimestamps, !parameters.tracksCommitTimestamps { try logs.removeAll(.commitTimestamps) }
            tracksCommitTimestamps = parameters.tracksCommitTimestamps
        case .xidUsed, .multixactUsed, .transactionEnded, .oldestMultixact, .oldestXid, .newestCommitTimestamp,
            .oldestCommitTimestamp, .checkpoint, .nextOID, .fullPageWritesChanged, .recoveryEnded, .backupEnded,
            .restorePoint, .recordAborted, .originAdvanced, .originDropped, .logicalMappingWritten, .tablespaceCreated,
            .tablespaceDropped:
            break  // nothing of it is in pages
        }
    }

    private func truncate(_ relation: RelationLocator, _ blocks: UInt32, _ forks: TruncatedForks) throws {
        if forks.contains(.main) {
            try pages.truncate(relation.fork(.main), to: blocks)
            forgetAbsent { $0.fork == relation.fork(.main) && $0.block >= blocks }
        }
        if forks.contains(.visibilityMap) {
            try truncateMap(relation.fork(.visibilityMap), VisibilityMap.blocks(heapBlocks: blocks)) {
                VisibilityMap.truncate($0, heapBlocks: blocks)
            }
        }
        if forks.contains(.freeSpaceMap) {
            try truncateFreeSpaceMap(relation.fork(.freeSpaceMap), heapBlocks: blocks)
        }
    }

    private func truncateFreeSpaceMap(_ map: RelationFork, heapBlocks: UInt32) throws {
        // One that ends before that stays as it is, its upper levels too.
        guard let count = try pages.blockCount(map), FreeSpaceMap.block(heapBlocks) < count else { return }
        try truncateMap(map, FreeSpaceMap.blocks(heapBlocks: heapBlocks)) {
            FreeSpaceMap.truncate($0, heapBlocks: heapBlocks)
        }
        try FreeSpaceMap.summarize(from: heapBlocks) {
            try pages.existing(PageKey(fork: map, block: $0), for: .storage).map { RedoPage($0) }
        }
    }

    private func truncateMap(_ fork: RelationFork, _ blocks: UInt32, clearing clear: (RedoPage) -> Void) throws {
        if blocks > 0, let bytes = try pages.existing(PageKey(fork: fork, block: blocks - 1), for: .storage) {
            clear(RedoPage(bytes))
        }
        try pages.truncate(fork, to: blocks)
    }

    private func forgetAbsent(_ isGone: (PageKey) -> Bool) {
        if !absent.isEmpty { absent = absent.filter { !isGone($0.key) } }
    }
}
