public import PostgresFormat

extension WALPageIndex {
    private typealias Layout = WALPageIndexLayout

    /// The records that are about a page, in the order of the WAL.
    public func positions(of page: PageKey) throws(FormatError) -> [Position] {
        guard let fork = entry(of: page.fork) else { return [] }
        var found: [Position] = []
        try forEachPosition(fork, page.block...page.block) { _, position in
            found.append(Position(lsn: Self.lsn(position.unit, segment), flags: position.flags))
        }
        return found
    }

    /// Everything about a fork's pages, sorted by block.
    public func forEachPosition(
        of fork: RelationFork, _ body: (_ block: UInt32, _ position: Position) -> Void
    ) throws(FormatError) {
        guard let entry = entry(of: fork) else { return }
        try forEachPosition(entry, 0...UInt32.max) { block, position in
            body(block, Position(lsn: Self.lsn(position.unit, segment), flags: position.flags))
        }
    }

    /// Records that do what no block reference shows, in the order of the WAL: `RecordEffects` gives effects of theirs
    /// other than that a transaction is in use. Those of `fileChanges` are among them.
    public func effectPositions() throws(FormatError) -> [LSN] {
        var found: [LSN] = []
        try withCursor(sections.effects..<sections.crc) { cursor throws(FormatError) in
            var unit: UInt32 = 0
            for _ in 0..<sections.effectCount {
                unit = try Self.advance(unit, by: cursor.varint(), segment)
                found.append(Self.lsn(unit, segment))
            }
            guard cursor.isAtEnd else { throw IndexCursor.damage }
        }
        return found
    }

    func entry(of fork: RelationFork) -> ForkEntry? {
        var (low, high) = (0, forks.count)
        while low < high {
            let middle = (low + high) / 2
            if forks[middle].fork < fork { low = middle + 1 } else { high = middle }
        }
        return low < forks.count && forks[low].fork == fork ? forks[low] : nil
    }

    /// What is known of the fork's pages in a range of blocks.
    @inline(__always)
    func forEachPosition(
        _ fork: ForkEntry, _ blocks: ClosedRange<UInt32>, _ body: (UInt32, PackedPosition) -> Void
    ) throws(FormatError) {
        let groupCount = (fork.pageCount + Layout.pagesPerGroup - 1) / Layout.pagesPerGroup
        var group = fork.firstGroup + firstGroup(fork.firstGroup, groupCount, holding: blocks.lowerBound)
        let lastGroup = fork.firstGroup + groupCount
        while group < lastGroup {
            let (firstBlock, range) = try self.group(group)
            if firstBlock > blocks.upperBound { return }
            let own = min(Layout.pagesPerGroup, fork.pageCount - (group - fork.firstGroup) * Layout.pagesPerGroup)
            try withCursor(range) { cursor throws(FormatError) in
                try readGroup(&cursor, own, firstBlock, blocks, body)
            }
            group += 1
        }
    }

    /// The last group whose first block is not behind the given one.
    private func firstGroup(_ first: Int, _ count: Int, holding block: UInt32) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if groupBlock(first + middle) <= block { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }

    private func groupField(_ group: Int, _ offset: Int) -> UInt32 {
        bytes.withUnsafeBytes {
            UInt32(
                littleEndian: $0.loadUnaligned(
                    fromByteOffset: sections.groups + group * Layout.groupSize + offset, as: UInt32.self))
        }
    }

    func groupBlock(_ group: Int) -> UInt32 { groupField(group, 0) }

    private func group(_ group: Int) throws(FormatError) -> (firstBlock: UInt32, range: Range<Int>) {
        let isLast = group + 1 == (sections.pages - sections.groups) / Layout.groupSize
        let start = sections.pages + Int(groupField(group, 4))
        let end = isLast ? sections.changes : sections.pages + Int(groupField(group + 1, 4))
        guard start <= end, end <= sections.changes else { throw IndexCursor.damage }
        return (groupBlock(group), start..<end)
    }

    @inline(__always)
    private func readGroup(
        _ cursor: inout IndexCursor, _ count: Int, _ firstBlock: UInt32, _ blocks: ClosedRange<UInt32>,
        _ body: (UInt32, PackedPosition) -> Void
    ) throws(FormatError) {
        var block = firstBlock
        for index in 0..<count {
            let head = try cursor.varint()
            let next = UInt64(block) + head >> 1
            guard next <= UInt64(UInt32.max), (index == 0) == (head >> 1 == 0) else { throw IndexCursor.damage }
            block = UInt32(next)
            if block > blocks.upperBound { return }
            let positions = head & 1 == 0 ? 1 : Int(try cursor.varint()) + 2
            var unit: UInt32 = 0
            for _ in 0..<positions {
                let step = try cursor.varint()
                unit = try Self.advance(unit, by: step >> 1, segment)
                let flags = step & 1 == 0 ? 0 : try cursor.read(UInt8.self)
                guard flags <= Flags.all.rawValue else { throw IndexCursor.damage }
                if block >= blocks.lowerBound { body(block, PackedPosition(unit: unit, flags: flags)) }
            }
        }
        guard cursor.isAtEnd else { throw IndexCursor.damage }
    }

    @inline(__always)
    private func withCursor(
        _ range: Range<Int>, _ body: (inout IndexCursor) throws(FormatError) -> Void
    ) throws(FormatError) {
        var failure: FormatError?
        bytes.withUnsafeBytes { content in
            var cursor = IndexCursor(content, range)
            do throws(FormatError) { try body(&cursor) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
