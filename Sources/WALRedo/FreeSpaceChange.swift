import Glibc
public import PostgresFormat

/// What redo of a heap's page notes in the free space map, as PostgreSQL's own recovery does. WAL says nothing of it, and
/// the map's pages have no LSN; what is wrong in it costs time, and is put right by whoever finds it.
///
/// Source: PostgreSQL's `src/backend/storage/freespace/freespace.c` and `fsmpage.c`, `XLogRecordPageWithFreeSpace`; when, in
/// the `redo` functions of heaps.
public struct FreeSpaceChange: Hashable, Sendable {
    public let relation: RelationLocator
    public let heapBlock: UInt32
    /// In steps of 32 bytes.
    public let category: UInt8

    /// What a change of a heap's page leads to.
    ///
    /// - Parameters:
    ///   - outcome: What redo said of the page.
    ///   - page: As it is afterwards.
    public static func after(
        _ record: WALRecord, _ block: WALBlockReference, _ outcome: PageRedo.Outcome, _ page: RedoPage, major: Int
    ) throws(RedoFault) -> FreeSpaceChange? {
        guard block.fork == .main, !page.page.isNew, record.manager == .heap || record.manager == .heap2 else {
            return nil
        }
        let isChanged = outcome == .changed || outcome == .initialized
        typealias Heap = HeapRedo.Operation
        typealias Heap2 = Heap2Redo.Operation
        let space: Int
        switch (record.manager, record.info & Heap.mask) {
        case (.heap, Heap.insert), (.heap, Heap.update), (.heap2, Heap2.multiInsert):
            // Little of it only: where there is more, the map is right as it is, or will be.
            guard isChanged, block.id == 0, page.heapFreeSpace < Page.size / 5 else { return nil }
            space = page.heapFreeSpace
        case (.heap2, Heap2.prune), (.heap2, Heap2.vacuum), (.heap2, Heap2.freezePage):
            guard block.id == 0, try Heap2Redo.movesItems(record, major: major) else { return nil }
            space = page.heapFreeSpace
        case (.heap2, Heap2.visible):
            guard block.id == 1, try RecordData(record.mainData).load(4, UInt8.self) & VisibilityChange.allBits != 0
            else {
                return nil
            }
            space = page.freeSpace
        default: return nil
        }
        return FreeSpaceChange(relation: block.relation, heapBlock: block.block, category: Self.category(space))
    }

    private static let step = 32
    /// `MaxFSMRequestSize`: the largest tuple.
    private static let largest = Page.size - 32

    private static func category(_ space: Int) -> UInt8 {
        space >= largest ? .max : UInt8(min(space / step, Int(UInt8.max) - 1))
    }

    /// Of the map's page.
    public var block: UInt32 { FreeSpaceMap.block(heapBlock) }

    /// - Parameter page: Of zeros where it is not there yet.
    public func apply(to page: RedoPage) {
        if page.page.isNew { page.initialize(specialSize: 0) }
        FreeSpaceMap.set(page, FreeSpaceMap.slot(heapBlock), category)
    }
}

/// The free space map: pages with a byte for each block of the heap, and above them in a tree the largest.
public enum FreeSpaceMap {
    private static let nodes = Page.headerSize + 4
    private static let nodeCount = Page.size - nodes
    private static let upperCount = Page.size / 2 - 1
    static let slotsPerPage = nodeCount - upperCount

    /// The lowest level has the heap's blocks; one page is the highest.
    private static let levelCount = 3
    static let highestLevel = levelCount - 1

    static func slot(_ heapBlock: UInt32) -> Int { Int(heapBlock) % slotsPerPage }

    /// The page with the byte of a heap's block.
    public static func block(_ heapBlock: UInt32) -> UInt32 { block(level: 0, number: Int(heapBlock) / slotsPerPage) }

    /// A level's page, counted from 0. Each page that has others below it lies in front of them.
    ///
    /// - Precondition: The number of a page below the highest one of the map.
    private static func block(level: Int, number: Int) -> UInt32 {
        var leaf = number
        for _ in 0..<level { leaf *= slotsPerPage }
        var pages = 0
        for _ in 0..<levelCount {
            pages += leaf + 1
            leaf /= slotsPerPage
        }
        return UInt32(pages - level - 1)
    }

    /// How many of its pages so many blocks of the heap need.
    public static func blocks(heapBlocks: UInt32) -> UInt32 {
        slot(heapBlocks) > 0 ? block(heapBlocks) + 1 : block(heapBlocks)
    }

    private static func node(_ page: RedoPage, _ index: Int) -> UInt8 { page.load(nodes + index, UInt8.self) }

    /// The larger one of the two below.
    private static func largest(_ page: RedoPage, below index: Int) -> UInt8 {
        let (left, right) = (2 * index + 1, 2 * index + 2)
        let value = left < nodeCount ? node(page, left) : 0
        return right < nodeCount ? max(value, node(page, right)) : value
    }

    static func set(_ page: RedoPage, _ slot: Int, _ value: UInt8) {
        var index = upperCount + slot
        if node(page, index) == value, value <= node(page, 0) { return }
        page.store(value, nodes + index)
        repeat {
            index = (index - 1) / 2
            let new = largest(page, below: index)
            if node(page, index) == new { break }
            page.store(new, nodes + index)
        } while index > 0
        if value > node(page, 0) { rebuild(page) }
    }

    private static func rebuild(_ page: RedoPage) {
        for index in (0..<upperCount).reversed() { page.store(largest(page, below: index), nodes + index) }
    }

    /// Clears what the page that is the last now says of blocks that are no more. `summarize` tells the levels above.
    public static func truncate(_ page: RedoPage, heapBlocks: UInt32) {
        let start = upperCount + slot(heapBlocks)
        guard slot(heapBlocks) > 0, (start..<nodeCount).contains(where: { node(page, $0) != 0 }) else { return }
        memset(page.bytes + nodes + start, 0, nodeCount - start)
        rebuild(page)
    }

    /// Makes the upper levels say again what is below them, from a heap's block on.
    ///
    /// Source: PostgreSQL's `src/backend/storage/freespace/freespace.c`, `FreeSpaceMapVacuumRange`.
    ///
    /// - Parameter page: Gives one of the map's pages; nil behind its end.
    public static func summarize(from heapBlock: UInt32, _ page: (UInt32) throws -> RedoPage?) rethrows {
        var slots: [(number: Int, slot: Int)] = []
        var number = Int(heapBlock)
        for _ in 0..<levelCount {
            slots.append((number / slotsPerPage, number % slotsPerPage))
            number /= slotsPerPage
        }
        _ = try summarize(highestLevel, 0, slots, page)
    }

    /// - Parameter slots: Of each level, where to begin.
    /// - Returns: The most that a page has; nil where it is not there.
    private static func summarize(
        _ level: Int, _ number: Int, _ slots: [(number: Int, slot: Int)], _ page: (UInt32) throws -> RedoPage?
    ) rethrows -> UInt8? {
        guard let own = try page(block(level: level, number: number)) else { return nil }
        guard level > 0 else { return node(own, 0) }
        var isOver = false
        for slot in (slots[level].number == number ? slots[level].slot : 0)..<slotsPerPage {
            var value: UInt8 = 0
            if !isOver {
                let below = try summarize(level - 1, number * slotsPerPage + slot, slots, page)
                (isOver, value) = (below == nil, below ?? 0)
            }
            guard node(own, upperCount + slot) != value else { continue }
            if own.page.isNew { own.initialize(specialSize: 0) }
            set(own, slot, value)
        }
        return node(own, 0)
    }

    /// Where the server looks first: no part of what the map says.
    public static func maskNext(_ page: RedoPage) { page.store(UInt32(0), Page.headerSize) }
}

extension RedoPage {
    /// `PageGetFreeSpace`: room for a tuple and its line pointer.
    var freeSpace: Int { max(0, upper - lower - 4) }

    private static let mostTuples = 291

    /// `PageGetHeapFreeSpace`: none where no more line pointers are allowed.
    var heapFreeSpace: Int {
        guard lineCount >= Self.mostTuples else { return freeSpace }
        let hasUnused = flags.contains(.hasFreeLines) && (1...lineCount).contains { self[line: $0].state == .unused }
        return hasUnused ? freeSpace : 0
    }
}
