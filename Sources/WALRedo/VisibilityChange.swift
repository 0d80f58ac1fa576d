import Glibc
public import PostgresFormat

/// A change of the visibility map that follows from a record of a heap.
///
/// Up to the minor releases of August 2026 such a record has no reference to the map's page, and the page's LSN stays as
/// it is: the record counts whatever that says.
///
/// Source: PostgreSQL's `src/backend/access/heap/visibilitymap.c` and `src/include/access/visibilitymapdefs.h`.
public struct VisibilityChange: Hashable, Sendable {
    public let relation: RelationLocator
    public let heapBlock: UInt32
    /// The bits that are cleared: 1 is all-visible, 2 all-frozen.
    public let bits: UInt8

    /// Of the page of the map.
    public var block: UInt32 { heapBlock / Self.blocksPerPage }

    /// Two bits for each block of the heap.
    static let blocksPerPage = UInt32(Page.size - Page.headerSize) * 4
    static let allBits: UInt8 = 3
    static let frozenBit: UInt8 = 2

    /// Where the bits of a block of the heap are in their page.
    static func place(_ heapBlock: UInt32) -> (byte: Int, shift: UInt8) {
        let index = heapBlock % blocksPerPage
        return (Page.headerSize + Int(index / 4), UInt8(index % 4) * 2)
    }

    /// - Returns: Whether there was anything to clear.
    public func apply(to page: RedoPage) -> Bool {
        let (byte, shift) = Self.place(heapBlock)
        let old = page.load(byte, UInt8.self)
        let new = old & ~(bits << shift)
        page.store(new, byte)
        return new != old
    }

    static func applyAll(of record: WALRecord, to page: RedoPage, _ block: UInt32) throws(RedoFault) -> Bool {
        var isChanged = false
        for change in try all(record) where change.block == block {
            if change.apply(to: page) { isChanged = true }
        }
        return isChanged
    }

    /// Whether a record of a heap's may change anything: most do not, and `all` is left out.
    @inline(__always)
    static func mayChange(_ record: WALRecord) -> Bool {
        let main = record.mainData
        let offset: Int
        switch (record.manager, record.info & HeapRedo.Operation.mask) {
        case (.heap, HeapRedo.Operation.insert): offset = 2
        case (.heap2, Heap2Redo.Operation.multiInsert): offset = 0
        case (.heap, _), (.heap2, Heap2Redo.Operation.lockUpdated): offset = 7
        default: return false
        }
        return main.count <= offset || main[offset] & 3 != 0
    }

    /// Whether the record itself names the page of the map, as records do since August 2026.
    public func isReferenced(by record: WALRecord) -> Bool {
        record.blocks.contains { $0.fork == .visibilityMap && $0.block == block }
    }

    /// What a record changes, at most two.
    public static func all(_ record: WALRecord) throws(RedoFault) -> [VisibilityChange] {
        let main = RecordData(record.mainData)
        let operation = record.info & HeapRedo.Operation.mask
        var changes: [VisibilityChange] = []
        func add(_ reference: UInt8, _ bits: UInt8) throws(RedoFault) {
            guard let block = record.block(reference) else { throw RedoFault("it has no block reference \(reference)") }
            changes.append(VisibilityChange(relation: block.relation, heapBlock: block.block, bits: bits))
        }
        func has(_ flag: UInt8, at offset: Int) throws(RedoFault) -> Bool {
            try main.load(offset, UInt8.self) & flag != 0
        }
        switch (record.manager, operation) {
        case (.heap, HeapRedo.Operation.insert): if try has(1, at: 2) { try add(0, allBits) }
        case (.heap, HeapRedo.Operation.delete): if try has(1, at: 7) { try add(0, allBits) }
        case (.heap, HeapRedo.Operation.update), (.heap, HeapRedo.Operation.hotUpdate):
            let isSamePage = record.block(1).map { $0.fork != .main } ?? true
            if try has(1, at: 7) { try add(isSamePage ? 0 : 1, allBits) }
            if try has(2, at: 7) { try add(0, allBits) }
        case (.heap, HeapRedo.Operation.lock): if try has(1, at: 7) { try add(0, frozenBit) }
        case (.heap2, Heap2Redo.Operation.multiInsert): if try has(1, at: 0) { try add(0, allBits) }
        case (.heap2, Heap2Redo.Operation.lockUpdated): if try has(1, at: 7) { try add(0, frozenBit) }
        default: break
        }
        return changes
    }
}

/// The visibility map of a heap that is cut.
public enum VisibilityMap {
    /// How many of its pages so many blocks of the heap need.
    public static func blocks(heapBlocks: UInt32) -> UInt32 {
        UInt32(
            (UInt64(heapBlocks) + UInt64(VisibilityChange.blocksPerPage) - 1) / UInt64(VisibilityChange.blocksPerPage))
    }

    /// Clears what the page that is the last now says of blocks that are no more. Its LSN stays.
    public static func truncate(_ page: RedoPage, heapBlocks: UInt32) {
        guard heapBlocks % VisibilityChange.blocksPerPage != 0 else { return }
        let (byte, shift) = VisibilityChange.place(heapBlocks)
        page.store(page.load(byte, UInt8.self) & (1 << shift - 1), byte)
        memset(page.bytes + byte + 1, 0, Page.size - byte - 1)
    }
}
