public import PostgresFormat

extension PageReconstruction {
    private static var recordsAhead: Int { 6 }

    /// Makes all pages of a part of a fork that the indexes tell of, as they are at the indexes' end: those that are there.
    ///
    /// - Parameters:
    ///   - blocks: What is in memory at once is the places of the records about these.
    ///   - indexes: Of consecutive segments.
    ///   - base: Puts a page there as it was before the first index; zeros where it was not there.
    ///   - visit: Takes each page, in the order of the blocks; gone when it returns.
    public mutating func rebuildAll(
        of fork: RelationFork, _ blocks: Range<UInt32>, in indexes: [WALPageIndex],
        base: (PageKey, RedoPage) throws -> Void, visit: (UInt32, RedoPage) throws -> Void
    ) throws {
        guard let first = indexes.first, let last = indexes.last, !blocks.isEmpty else { return }
        var places = PagePlaces(blocks)
        for index in indexes {
            guard let entry = index.entry(of: fork) else { continue }
            let unit = (index.segment.startLSN.rawValue - first.segment.startLSN.rawValue) >> 3
            try index.forEachPosition(entry, blocks.lowerBound...blocks.upperBound - 1) { block, position in
                places.append(block, unit + UInt64(position.unit), position.flags)
            }
        }
        places.sort()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: Page.size)
        defer { memory.deallocate() }
        let page = RedoPage(memory)
        let changes = indexes.flatMap { $0.fileChanges.filter { $0.kind.mayConcern(fork) } }
        for block in blocks {
            let own = places.places(of: block)
            guard let oldest = own.first else { continue }
            let key = PageKey(fork: fork, block: block)
            let start = first.segment.startLSN.rawValue
            let since = oldest.flags.isBase ? LSN(rawValue: start + oldest.unit << 3) : .invalid
            if changes.isEmpty || !changes.contains(where: { $0.lsn >= since && $0.kind.concerns(key) }) {
                if !oldest.flags.isBase { try base(key, page) }
                for index in own.indices {
                    let place = own[index]
                    if let later = places.place(Self.recordsAhead, behind: index, of: block) {
                        prepare(LSN(rawValue: start + later.unit << 3))
                    }
                    let lsn = LSN(rawValue: start + place.unit << 3)
                    if place.flags.contains(.clearsMap) {
                        try clearMap(lsn, fork, block, page)
                    } else {
                        try redo(lsn, fork, block, page)
                    }
                }
            } else {
                let history = try PageHistory(of: key, before: last.end, in: indexes)
                if history.origin == .nothing, history.steps.isEmpty { continue }
                if case .base(let source) = history.origin { try base(source, page) }
                try rebuild(history, in: page)
            }
            try visit(block, page)
        }
    }
}

/// Where records about some blocks are, from the last one on that makes a page without what it was before.
struct PagePlaces: ~Copyable {
    struct Place {
        let rawValue: UInt64
        var unit: UInt64 { rawValue >> 3 }
        var flags: WALPageIndex.Flags { WALPageIndex.Flags(rawValue: UInt8(rawValue & 7)) }
    }

    private let firstBlock: UInt32
    private var blockOf: UnsafeMutablePointer<UInt32>
    private var found: UnsafeMutablePointer<Place>
    private var sorted: UnsafeMutablePointer<Place>
    private var capacity = 1 << 12
    private var count = 0
    /// Of each block: where its oldest place that counts was found, and how many count.
    private let oldest: UnsafeMutablePointer<Int>
    private let counts: UnsafeMutablePointer<Int>
    private let starts: UnsafeMutablePointer<Int>
    private let blockCount: Int

    init(_ blocks: Range<UInt32>) {
        firstBlock = blocks.lowerBound
        blockCount = blocks.count
        blockOf = .allocate(capacity: capacity)
        found = .allocate(capacity: capacity)
        sorted = .allocate(capacity: capacity)
        oldest = .allocate(capacity: blockCount)
        counts = .allocate(capacity: blockCount)
        starts = .allocate(capacity: blockCount)
        for pointer in [oldest, counts, starts] { pointer.initialize(repeating: 0, count: blockCount) }
    }

    deinit {
        blockOf.deallocate()
        found.deallocate()
        sorted.deallocate()
        oldest.deallocate()
        counts.deallocate()
        starts.deallocate()
    }

    /// - Parameter block: One of the blocks; its places come in the order of the WAL.
    @inline(__always)
    mutating func append(_ block: UInt32, _ unit: UInt64, _ flags: WALPageIndex.Flags) {
        if count == capacity { grow() }
        let own = Int(block - firstBlock)
        (blockOf + count).initialize(to: UInt32(truncatingIfNeeded: own))
        (found + count).initialize(to: Place(rawValue: unit << 3 | UInt64(flags.rawValue)))
        if flags.isBase {
            oldest[own] = count
            counts[own] = 0
        }
        counts[own] += 1
        count += 1
    }

    private mutating func grow() {
        let moreBlocks = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity * 2)
        let more = UnsafeMutablePointer<Place>.allocate(capacity: capacity * 2)
        moreBlocks.update(from: blockOf, count: count)
        more.update(from: found, count: count)
        blockOf.deallocate()
        found.deallocate()
        sorted.deallocate()
        (blockOf, found) = (moreBlocks, more)
        capacity *= 2
        sorted = .allocate(capacity: capacity)
    }

    /// To be called once, after all are there.
    mutating func sort() {
        var start = 0
        for own in 0..<blockCount {
            starts[own] = start
            start += counts[own]
        }
        for index in 0..<count {
            let own = Int(blockOf[index])
            guard index >= oldest[own] else { continue }
            (sorted + starts[own]).initialize(to: found[index])
            starts[own] += 1
        }
    }

    /// The place that comes so many behind one of a block: of one of the next blocks, where this one has no more.
    @inline(__always)
    func place(_ distance: Int, behind index: Int, of block: UInt32) -> Place? {
        let own = Int(block - firstBlock)
        let later = starts[own] - counts[own] + index + distance
        return later < starts[blockCount - 1] ? sorted[later] : nil
    }

    func places(of block: UInt32) -> UnsafeBufferPointer<Place> {
        let own = Int(block - firstBlock)
        return UnsafeBufferPointer(start: sorted + starts[own] - counts[own], count: counts[own])
    }
}

extension WALPageIndex {
    /// The last block of a fork that a record is about; nil where none is.
    public func lastBlock(of fork: RelationFork) throws(FormatError) -> UInt32? {
        guard let entry = entry(of: fork) else { return nil }
        var last: UInt32 = 0
        let groups = (entry.pageCount + WALPageIndexLayout.pagesPerGroup - 1) / WALPageIndexLayout.pagesPerGroup
        try forEachPosition(entry, groupBlock(entry.firstGroup + groups - 1)...UInt32.max) { block, _ in last = block }
        return last
    }
}

extension WALPageIndex.FileChange.Kind {
    /// Whether it may concern a page of the fork.
    func mayConcern(_ fork: RelationFork) -> Bool {
        switch self {
        case .truncated(let relation, _, _): fork.locator == relation
        default: concerns(PageKey(fork: fork, block: .max))
        }
    }
}
