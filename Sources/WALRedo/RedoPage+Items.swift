// What PostgreSQL's `src/backend/storage/page/bufpage.c` does with the items of a page. Each tuple has to end up where it
// did there: later records and comparisons rely on that.

import Glibc
import PostgresFormat

extension RedoPage {
    /// `PageAddItemExtended` with an offset that is given.
    ///
    /// - Parameter overwrites: The line pointer there has to be unused, as in heaps; otherwise those from there on move up.
    func add(_ item: UnsafeRawBufferPointer, at offset: Int, overwrites: Bool) throws(RedoFault) {
        let start = try makeRoom(item.count, at: offset, overwrites: overwrites)
        if let source = item.baseAddress { (bytes + start).copyMemory(from: source, byteCount: item.count) }
    }

    /// The same, and what the item is comes later.
    ///
    /// - Returns: Where it is to lie.
    func makeRoom(_ size: Int, at offset: Int, overwrites: Bool) throws(RedoFault) -> Int {
        let count = lineCount
        guard offset >= 1, offset <= count + 1 else {
            throw RedoFault("no item can be put at \(offset): the page has \(count)")
        }
        guard size > 0, size < Page.size else { throw RedoFault("an item of \(size) bytes") }
        let isNew = offset == count + 1 || !overwrites
        if !isNew, self[line: offset] != .unused {
            throw RedoFault("item \(offset) is there already: \(self[line: offset])")
        }
        let newLower = lower + (isNew ? 4 : 0)
        let start = upper - aligned(size)
        guard newLower <= start else {
            throw RedoFault("\(size) bytes do not fit between \(lower) and \(upper)")
        }
        if isNew, offset <= count {
            let line = bytes + Page.headerSize + (offset - 1) * 4
            memmove(line + 4, line, (count + 1 - offset) * 4)
        }
        lower = newLower
        upper = start
        self[line: offset] = LinePointer(.normal, offset: start, length: size)
        return start
    }

    /// `PageIndexTupleDelete`.
    func deleteItem(_ offset: Int) throws(RedoFault) {
        let (start, length) = try item(offset)
        let count = lineCount
        let line = bytes + Page.headerSize + (offset - 1) * 4
        memmove(line, line + 4, (count - offset) * 4)
        lower -= 4
        try closeUp(start, aligned(length))
    }

    /// `PageIndexTupleDeleteNoCompact`: the others keep their offsets.
    func deleteKeepingLines(_ offset: Int) throws(RedoFault) {
        let (start, length) = try item(offset)
        if offset < lineCount { self[line: offset] = .unused } else { lower -= 4 }
        try closeUp(start, aligned(length))
    }

    /// Moves what lies below an item that has gone up into its place.
    private func closeUp(_ start: Int, _ size: Int) throws(RedoFault) {
        guard start + size <= special else { throw RedoFault("an item at \(start) is not aligned") }
        memmove(bytes + upper + size, bytes + upper, start - upper)
        upper += size
        for offset in 1...max(1, lineCount) where offset <= lineCount {
            let line = self[line: offset]
            if line.hasStorage, line.offset <= start { self[line: offset] = line.moved(to: line.offset + size) }
        }
    }

    /// `PageIndexMultiDelete`: few are deleted one by one, many at once; the order of what stays differs.
    func deleteItems(_ offsets: some RandomAccessCollection<Int>) throws(RedoFault) {
        if offsets.count <= 2 {
            for offset in offsets.reversed() { try deleteItem(offset) }
            return
        }
        var kept: [LinePointer] = []
        var next = offsets.startIndex
        for offset in 1...max(1, lineCount) where offset <= lineCount {
            if next < offsets.endIndex, offsets[next] == offset {
                next = offsets.index(after: next)
                continue
            }
            _ = try item(offset)
            kept.append(self[line: offset])
        }
        guard next == offsets.endIndex else { throw RedoFault("items to be deleted are not there") }
        lower = Page.headerSize + kept.count * 4
        try compact(&kept)
        for (index, line) in kept.enumerated() { self[line: index + 1] = line }
    }

    /// `PageIndexTupleOverwrite`: replaces an item where it is.
    func overwriteItem(_ offset: Int, with item: UnsafeRawBufferPointer) throws(RedoFault) {
        let (start, oldLength) = try self.item(offset)
        guard start + aligned(oldLength) <= special else { throw RedoFault("an item at \(start) is not aligned") }
        let difference = aligned(oldLength) - aligned(item.count)
        guard item.count > 0, let source = item.baseAddress, upper + difference >= lower else {
            throw RedoFault("\(item.count) bytes do not fit in the place of item \(offset)")
        }
        if difference != 0 {
            for other in 1...lineCount {
                let line = self[line: other]
                guard line.hasStorage, line.offset <= start else { continue }
                guard line.offset >= upper else { throw RedoFault("item \(other) has no storage within the page") }
                self[line: other] = line.moved(to: line.offset + difference)
            }
            memmove(bytes + upper + difference, bytes + upper, start - upper)
            upper += difference
        }
        self[line: offset] = LinePointer(self[line: offset].state, offset: start + difference, length: item.count)
        (bytes + start + difference).copyMemory(from: source, byteCount: item.count)
    }

    /// `PageRepairFragmentation`: what has storage is moved together, in the order of the line pointers.
    ///
    /// - Parameter truncates: Unused line pointers at the end go, as they do since 15.
    func repairFragmentation(truncates: Bool) throws(RedoFault) {
        var stored: [LinePointer] = []
        var owners: [Int] = []
        stored.reserveCapacity(lineCount)
        owners.reserveCapacity(lineCount)
        var lastUsed = 0
        var hasUnused = false
        for offset in 1...max(1, lineCount) where offset <= lineCount {
            let line = self[line: offset]
            if line.state == .unused {
                guard !line.hasStorage else { throw RedoFault("item \(offset) is \(line)") }
                continue
            }
            hasUnused = hasUnused || lastUsed + 1 < offset
            lastUsed = offset
            guard line.hasStorage else { continue }
            _ = try item(offset)
            stored.append(line)
            owners.append(offset)
        }
        try compact(&stored)
        for (line, offset) in zip(stored, owners) { self[line: offset] = line }
        if lastUsed < lineCount {
            if truncates { lower = Page.headerSize + lastUsed * 4 } else { hasUnused = true }
        }
        setFreeLines(hasUnused)
    }

    /// `PageTruncateLinePointerArray`: unused ones at the end go, but for the first.
    func truncateLinePointers() {
        var count = lineCount
        while count > 1, self[line: count].state == .unused { count -= 1 }
        if count < lineCount { lower = Page.headerSize + count * 4 }
        var hasUnused = false
        for offset in 1...max(1, count) where offset <= count {
            hasUnused = hasUnused || self[line: offset].state == .unused
        }
        setFreeLines(hasUnused)
    }

    private func setFreeLines(_ isSet: Bool) {
        if isSet { flags.insert(.hasFreeLines) } else { flags.remove(.hasFreeLines) }
    }

    /// `compactify_tuples`: puts the items together at the end of the page, in this order, and says where.
    private func compact(_ lines: inout [LinePointer]) throws(RedoFault) {
        let total = lines.reduce(0) { $0 + aligned($1.length) }
        guard lower + total <= special else { throw RedoFault("the page's items overlap") }
        var start = special
        var index = 0
        // Most often the first ones are where they belong.
        while index < lines.count, lines[index].offset == start - aligned(lines[index].length) {
            start = lines[index].offset
            index += 1
        }
        defer { upper = special - total }
        guard index < lines.count else { return }
        // Items whose order is that of their places only go up: none lies where another one has still to be taken from.
        var (low, high, isSorted) = (lines[index].offset, 0, true)
        for line in lines[index...] {
            isSorted = isSorted && line.offset <= low
            low = min(low, line.offset)
            high = max(high, min(line.offset + aligned(line.length), special))
        }
        if isSorted { return move(&lines, from: index, to: start, bytes) }
        withUnsafeTemporaryAllocation(byteCount: high - low, alignment: 8) { copy in
            copy.baseAddress!.copyMemory(from: bytes + low, byteCount: high - low)
            move(&lines, from: index, to: start, UnsafeRawPointer(copy.baseAddress! - low))
        }
    }

    /// - Parameter source: Where the page's bytes are, as they were.
    private func move(
        _ lines: inout [LinePointer], from first: Int, to end: Int, _ source: UnsafeRawPointer
    ) {
        var (index, start) = (first, end)
        while index < lines.count {
            // Those that lie together go together.
            let sourceEnd = lines[index].offset + aligned(lines[index].length)
            let end = start
            var offset = sourceEnd
            repeat {
                offset = lines[index].offset
                start -= aligned(lines[index].length)
                lines[index] = lines[index].moved(to: start)
                index += 1
            } while index < lines.count && lines[index].offset + aligned(lines[index].length) == offset
            memmove(bytes + start, source + offset, min(min(sourceEnd, special) - offset, end - start))
        }
    }
}
