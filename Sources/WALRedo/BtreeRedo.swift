import PostgresFormat

/// Redo of the resource manager Btree.
///
/// Source: PostgreSQL's `src/backend/access/nbtree/nbtxlog.c` and `src/include/access/nbtxlog.h`.
struct BtreeRedo {
    private let record: WALRecord
    private let block: WALBlockReference
    private let page: RedoPage
    private let tree: BtreePage
    private let main: RecordData

    enum Operation {
        static let insertLeaf: UInt8 = 0x00
        static let insertUpper: UInt8 = 0x10
        static let insertMeta: UInt8 = 0x20
        static let splitLeft: UInt8 = 0x30
        static let splitRight: UInt8 = 0x40
        static let insertPosting: UInt8 = 0x50
        static let deduplicate: UInt8 = 0x60
        static let delete: UInt8 = 0x70
        static let unlinkPage: UInt8 = 0x80
        static let unlinkPageMeta: UInt8 = 0x90
        static let newRoot: UInt8 = 0xA0
        static let markHalfDead: UInt8 = 0xB0
        static let vacuum: UInt8 = 0xC0
        static let metaCleanup: UInt8 = 0xE0
    }

    init(record: WALRecord, block: WALBlockReference, page: RedoPage) throws(RedoFault) {
        if block.initializes { page.initialize(specialSize: BtreePage.specialSize) }
        (self.record, self.block, self.page) = (record, block, page)
        tree = try BtreePage(page)
        main = RecordData(record.mainData)
    }

    func redo() throws(RedoFault) {
        switch (record.operation, block.id) {
        case (Operation.insertLeaf, 0), (Operation.insertUpper, 0), (Operation.insertMeta, 0):
            try page.add(block.data, at: Int(try main.load(0, UInt16.self)), overwrites: false)
        case (Operation.insertPosting, 0): try insertPosting()
        case (Operation.splitLeft, 0): try splitLeftPage(newIsLeft: true)
        case (Operation.splitRight, 0): try splitLeftPage(newIsLeft: false)
        case (Operation.splitLeft, 1), (Operation.splitRight, 1): try makeRightPage()
        case (Operation.splitLeft, 2), (Operation.splitRight, 2): tree.previous = try number(1)
        case (Operation.deduplicate, 0): try deduplicate()
        case (Operation.delete, 0): try delete(countsAt: 4)
        case (Operation.vacuum, 0): try delete(countsAt: 0)
        case (Operation.unlinkPage, 0), (Operation.unlinkPageMeta, 0): try makeDeletedPage()
        case (Operation.unlinkPage, 1), (Operation.unlinkPageMeta, 1): tree.next = try main.load(4, UInt32.self)
        case (Operation.unlinkPage, 2), (Operation.unlinkPageMeta, 2): tree.previous = try main.load(0, UInt32.self)
        case (Operation.unlinkPage, 3), (Operation.unlinkPageMeta, 3): try makeHalfDeadPage(linksAt: 24)
        case (Operation.markHalfDead, 0): try makeHalfDeadPage(linksAt: 8)
        case (Operation.markHalfDead, 1): try removeDownlink()
        case (Operation.newRoot, 0): try makeRoot()
        case (Operation.insertUpper, 1), (Operation.insertMeta, 1), (Operation.newRoot, 1),
            (Operation.splitLeft, 3), (Operation.splitRight, 3):
            tree.flags &= ~BtreePage.Flag.incompleteSplit
        case (Operation.insertMeta, 2), (Operation.unlinkPageMeta, 4), (Operation.newRoot, 2),
            (Operation.metaCleanup, 0):
            try makeMeta()
        default: throw RedoFault("its operation \(record.operation) changes no page \(block.id)")
        }
    }

    /// The block of another reference.
    private func number(_ id: UInt8) throws(RedoFault) -> UInt32 {
        guard let block = record.block(id) else { throw RedoFault("it has no block reference \(id)") }
        return block.block
    }

    private func checkIsNew() throws(RedoFault) {
        guard block.initializes else { throw RedoFault("its block \(block.id) should be made anew") }
    }

    // MARK: - Insertion

    private func insertPosting() throws(RedoFault) {
        let offset = Int(try main.load(0, UInt16.self))
        var data = RecordData(block.data)
        let index = Int(try data.read(UInt16.self))
        var new = [UInt8](data.rest)
        try PostingTuple.swap(&new, index, in: page, offset - 1)
        try add(new, at: offset)
    }

    private func add(_ tuple: [UInt8], at offset: Int? = nil) throws(RedoFault) {
        let start = try page.makeRoom(tuple.count, at: offset ?? page.lineCount + 1, overwrites: false)
        tuple.withUnsafeBytes { (page.bytes + start).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }

    // MARK: - Splits

    private func splitLeftPage(newIsLeft: Bool) throws(RedoFault) {
        let firstRight = Int(try main.load(4, UInt16.self))
        let newOffset = Int(try main.load(6, UInt16.self))
        let postingIndex = Int(try main.load(8, UInt16.self))
        let isLeaf = try main.load(0, UInt32.self) == 0
        var data = RecordData(block.data)
        var new = newIsLeft || postingIndex != 0 ? [UInt8](try IndexTuple.read(&data)) : []
        let highKey = try IndexTuple.read(&data)
        let first = tree.firstDataItem
        try page.rebuild { (old) throws(RedoFault) in
            try page.append(highKey)
            var offset = first
            while offset < firstRight {
                if newIsLeft, offset == newOffset { try add(new) }
                try page.append(try old.itemBytes(offset))
                if postingIndex != 0, offset == newOffset - 1 {
                    try PostingTuple.swap(&new, postingIndex, in: page, page.lineCount)
                }
                offset += 1
            }
            if newIsLeft, offset == newOffset { try add(new) }
        }
        tree.flags = BtreePage.Flag.incompleteSplit | (isLeaf ? BtreePage.Flag.leaf : 0)
        tree.next = try number(1)
        tree.vacuumCycle = 0
    }

    private func makeRightPage() throws(RedoFault) {
        try checkIsNew()
        tree.previous = try number(0)
        tree.next = record.block(2)?.block ?? 0
        tree.level = try main.load(0, UInt32.self)
        tree.flags = tree.level == 0 ? BtreePage.Flag.leaf : 0
        try fill()
    }

    private func makeRoot() throws(RedoFault) {
        try checkIsNew()
        tree.level = try main.load(4, UInt32.self)
        tree.flags = BtreePage.Flag.root | (tree.level == 0 ? BtreePage.Flag.leaf : 0)
        if tree.level > 0 { try fill() }
    }

    /// `_bt_restore_page`: the record has the tuples as they lay in the page, the last one first.
    private func fill() throws(RedoFault) {
        var data = RecordData(block.data)
        var lengths: [Int] = []
        while data.count > 0 { lengths.append(try IndexTuple.read(&data).count) }
        var start = page.upper - block.data.count
        guard let source = block.data.baseAddress, page.lower + lengths.count * 4 <= start else {
            throw RedoFault("\(lengths.count) tuples of \(block.data.count) bytes do not fit")
        }
        (page.bytes + start).copyMemory(from: source, byteCount: block.data.count)
        page.lower += lengths.count * 4
        page.upper = start
        for (index, length) in lengths.enumerated() {
            page[line: lengths.count - index] = LinePointer(.normal, offset: start, length: length)
            start += length
        }
    }

    // MARK: - Lists of rows

    private func deduplicate() throws(RedoFault) {
        let count = Int(try main.load(0, UInt16.self))
        var data = RecordData(block.data)
        let intervals = try data.readArray(count * 2)
        let first = tree.firstDataItem
        var next = 0
        try page.rebuild { (old) throws(RedoFault) in
            if first > 1 { try page.append(try old.itemBytes(1)) }
            var offset = first
            while offset <= old.lineCount {
                guard next < count, Int(intervals[next * 2]) == offset else {
                    try page.append(try old.itemBytes(offset))
                    offset += 1
                    continue
                }
                let base = try PostingTuple(old, offset)
                let end = offset + Int(intervals[next * 2 + 1])
                guard end > offset else { throw RedoFault("it merges no items at \(offset)") }
                var tids: [UInt8] = []
                while offset < end {
                    tids.append(contentsOf: try PostingTuple(old, offset).tids)
                    offset += 1
                }
                try add(try PostingTuple.form(key: base.key, tids: tids))
                next += 1
            }
        }
        guard next == count else { throw RedoFault("it merges items that are not there") }
        tree.flags &= ~BtreePage.Flag.hasGarbage
    }

    private func delete(countsAt place: Int) throws(RedoFault) {
        let deletedCount = Int(try main.load(place, UInt16.self))
        let updatedCount = Int(try main.load(place + 2, UInt16.self))
        var data = RecordData(block.data)
        let deleted = try data.readArray(deletedCount)
        let updated = try data.readArray(updatedCount)
        for index in 0..<updatedCount {
            let removed = try data.readArray(Int(try data.read(UInt16.self)))
            try remove(removed, from: Int(updated[index]))
        }
        try page.deleteItems(deleted.offsets)
        tree.flags &= ~BtreePage.Flag.hasGarbage
        // As the server does, and its redo since 18.
        if record.operation == Operation.vacuum { tree.vacuumCycle = 0 }
    }

    /// `_bt_update_posting`: some rows of a list go.
    ///
    /// - Parameter removed: Their places in it, ascending.
    private func remove(_ removed: Int16Array, from offset: Int) throws(RedoFault) {
        let tuple = try PostingTuple(page, offset)
        var kept: [UInt8] = []
        var next = 0
        for index in 0..<tuple.count {
            if next < removed.count, Int(removed[next]) == index {
                next += 1
                continue
            }
            let start = index * PostingTuple.tidBytes
            kept.append(contentsOf: tuple.tids[start..<start + PostingTuple.tidBytes])
        }
        guard tuple.isList, next == removed.count else {
            throw RedoFault("rows that are not in the list of item \(offset) are to go")
        }
        var fault: RedoFault?
        try PostingTuple.form(key: tuple.key, tids: kept).withUnsafeBytes { bytes in
            do throws(RedoFault) { try page.overwriteItem(offset, with: bytes) } catch { fault = error }
        }
        if let fault { throw fault }
    }

    // MARK: - Deletion of pages

    private func makeDeletedPage() throws(RedoFault) {
        try checkIsNew()
        tree.previous = try main.load(0, UInt32.self)
        tree.next = try main.load(4, UInt32.self)
        tree.level = try main.load(8, UInt32.self)
        let leaf = tree.level == 0 ? BtreePage.Flag.leaf : 0
        tree.flags = BtreePage.Flag.deleted | BtreePage.Flag.hasFullXid | leaf
        page.store(try main.load(16, UInt64.self), Page.headerSize)
        page.lower = Page.headerSize + 8
    }

    /// A leaf that waits for its deletion: only a high key, which leads to the topmost page that goes with it.
    private func makeHalfDeadPage(linksAt place: Int) throws(RedoFault) {
        try checkIsNew()
        tree.previous = try main.load(place, UInt32.self)
        tree.next = try main.load(place + 4, UInt32.self)
        tree.flags = BtreePage.Flag.halfDead | BtreePage.Flag.leaf
        let start = try page.makeRoom(IndexTuple.headerBytes, at: 1, overwrites: false)
        page.storeBlock(try main.load(place + 8, UInt32.self), start)
        page.store(UInt16(IndexTuple.headerBytes) | 0x2000, start + IndexTuple.infoOffset)
    }

    private func removeDownlink() throws(RedoFault) {
        let offset = Int(try main.load(0, UInt16.self))
        let (start, length) = try page.item(offset)
        let (next, nextLength) = try page.item(offset + 1)
        guard min(length, nextLength) >= IndexTuple.headerBytes else { throw RedoFault("its tuples are too short") }
        page.store(page.load(next, UInt32.self), start)
        try page.deleteItem(offset + 1)
    }

    // MARK: - The first page

    private static let magic: UInt32 = 0x053162
    private static let metaBytes = 48

    private func makeMeta() throws(RedoFault) {
        try checkIsNew()
        let data = RecordData(block.data)
        let start = Page.headerSize
        page.store(Self.magic, start)
        for field in 0..<6 { page.store(try data.load(field * 4, UInt32.self), start + 4 + field * 4) }
        page.store((-1.0).bitPattern, start + 32)
        page.store(try data.load(24, UInt8.self), start + 40)
        page.lower = start + Self.metaBytes
        tree.flags = BtreePage.Flag.meta
    }
}
