public import PostgresFormat

/// Makes the page index of a WAL segment while its records go by, and of one segment after the other: memory is used
/// again.
public struct WALPageIndexBuilder: ~Copyable {
    public private(set) var segment: WALSegment
    public let major: Int
    private var entries = PageEntries()
    private var forks = ForkNumbers()
    private var fileChanges: [WALPageIndex.FileChange] = []
    private var effectUnits: [UInt32] = []
    private var newestXid: UInt32 = 0
    private let effects: RecordEffects
    private var found: [RecordEffect] = []

    /// - Parameters:
    ///   - segment: The first one.
    ///   - major: PostgreSQL's version, 14 to 18.
    public init(_ segment: WALSegment, major: Int) {
        self.segment = segment
        self.major = major
        effects = RecordEffects(major: major)
    }

    /// Begins with another segment; what was not finished is forgotten.
    public mutating func begin(_ segment: WALSegment) {
        self.segment = segment
        entries.clear()
        forks.clear()
        fileChanges.removeAll(keepingCapacity: true)
        effectUnits.removeAll(keepingCapacity: true)
        newestXid = 0
    }

    /// - Parameter record: The next one; it begins in the segment.
    /// - Throws: `RedoFault`: what the record does cannot be told, so that no index can be right.
    public mutating func add(_ record: WALRecord) throws(RedoFault) {
        let offset = record.startLSN.rawValue &- segment.startLSN.rawValue
        precondition(offset < UInt64(segment.size) && offset % 8 == 0, "the record is not of this segment")
        let unit = UInt32(truncatingIfNeeded: offset >> 3)
        note(xid: record.xid)
        if let xid = record.topLevelXid { note(xid: xid) }
        for block in record.blocks {
            var flags: WALPageIndex.Flags = []
            if let image = block.image, image.applies { flags.insert(.image) }
            if block.initializes { flags.insert(.initializes) }
            let fork = forks.number(of: block.relation, block.fork)
            entries.append(fork, block.block, PackedPosition(unit: unit, flags: flags.rawValue))
        }
        switch record.manager {
        case .heap: try addMapChanges(record, unit)
        case .heap2:
            try addMapChanges(record, unit)
            if record.info & HeapRedo.Operation.mask == Heap2Redo.Operation.rewrite { effectUnits.append(unit) }
        case .btree, .hash, .gin, .gist, .sequence, .spgist, .brin, .generic, .logicalMessage: break
        case .transaction where TransactionRedo.isPlainEnd(record): effectUnits.append(unit)
        default: try addEffects(record, unit)
        }
    }

    /// - Parameter end: Records that begin before it have been added.
    /// - Returns: The segment's index. `begin` goes on with another one.
    public mutating func finish(end: LSN) -> WALPageIndex {
        entries.sort(forkRanks: forks.ranks())
        let encoder = WALPageIndexEncoder(
            segment: segment, major: major, end: end, newestXid: newestXid, forks: forks.sorted(),
            fileChanges: fileChanges, effectUnits: effectUnits)
        let bytes = encoder.encode(entries.sorted)
        do { return try WALPageIndex(parsing: bytes) } catch {
            preconditionFailure("what was encoded cannot be read: \(error)")
        }
    }

    /// They are counted round their end: the newest is the one furthest ahead.
    @inline(__always)
    private mutating func note(xid: UInt32) {
        if xid != 0, newestXid == 0 || Int32(bitPattern: xid &- newestXid) > 0 { newestXid = xid }
    }

    @inline(__always)
    private mutating func addMapChanges(_ record: WALRecord, _ unit: UInt32) throws(RedoFault) {
        guard VisibilityChange.mayChange(record) else { return }
        for change in try VisibilityChange.all(record) where !change.isReferenced(by: record) {
            let fork = forks.number(of: change.relation, .visibilityMap)
            let flags = WALPageIndex.Flags.clearsMap.rawValue
            entries.append(fork, change.block, PackedPosition(unit: unit, flags: flags))
        }
    }

    private mutating func addEffects(_ record: WALRecord, _ unit: UInt32) throws(RedoFault) {
        found.removeAll(keepingCapacity: true)
        var isEffect = false
        do { try effects.append(of: record, to: &found) } catch {
            // Whoever applies an extension's record is told that it cannot be redone.
            guard record.manager.isCustom else { throw error }
            isEffect = true
        }
        for effect in found {
            if case .xidUsed(let xid) = effect {
                note(xid: xid)
                continue
            }
            isEffect = true
            guard let kind = WALPageIndex.FileChange.Kind(effect) else { continue }
            fileChanges.append(WALPageIndex.FileChange(lsn: record.startLSN, kind: kind))
        }
        found.removeAll(keepingCapacity: true)
        if isEffect { effectUnits.append(unit) }
    }
}

extension WALPageIndex.FileChange.Kind {
    init?(_ effect: RecordEffect) {
        switch effect {
        case .relationCreated(let relation, let kind): self = .created(relation.fork(kind))
        case .relationTruncated(let relation, let blocks, let forks):
            self = .truncated(relation, blocks: blocks, forks: forks)
        case .relationDropped(let relation): self = .dropped(relation)
        case .databaseCreated(let directory): self = .databaseCreated(directory)
        case .databaseCopied(let target, let source): self = .databaseCopied(target, from: source)
        case .databaseDropped(let directory): self = .databaseDropped(directory)
        default: return nil
        }
    }
}
