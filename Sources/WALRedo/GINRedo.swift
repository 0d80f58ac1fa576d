import PostgresFormat

/// Redo of the resource manager Gin.
///
/// Source: PostgreSQL's `src/backend/access/gin/ginxlog.c` and `src/include/access/ginxlog.h`.
struct GINRedo {
    private let record: WALRecord
    private let block: WALBlockReference
    private let page: RedoPage
    private let gin: GINPage
    private let main: RecordData

    enum Operation {
        static let createPostingTree: UInt8 = 0x10
        static let insert: UInt8 = 0x20
        static let split: UInt8 = 0x30
        static let vacuumPage: UInt8 = 0x40
        static let deletePage: UInt8 = 0x50
        static let updateMeta: UInt8 = 0x60
        static let insertListPage: UInt8 = 0x70
        static let deleteListPages: UInt8 = 0x80
        static let vacuumDataLeaf: UInt8 = 0x90
    }

    init(record: WALRecord, block: WALBlockReference, page: RedoPage) throws(RedoFault) {
        gin = block.initializes ? GINPage.make(page, flags: 0) : try GINPage(page)
        (self.record, self.block, self.page) = (record, block, page)
        main = RecordData(record.mainData)
    }

    func redo() throws(RedoFault) {
        switch (record.operation, block.id) {
        case (Operation.createPostingTree, 0): try makePostingTree()
        case (Operation.insert, 0): try insert()
        case (Operation.insert, 1), (Operation.split, 3): gin.flags &= ~GINPage.Flag.incompleteSplit
        case (Operation.split, _), (Operation.vacuumPage, _):
            throw RedoFault("its operation \(record.operation) has no image of its page \(block.id)")
        case (Operation.vacuumDataLeaf, 0): try recompress(RecordData(block.data))
        case (Operation.deletePage, 0): try deletePage()
        case (Operation.deletePage, 1): try gin.deleteChild(Int(try main.load(0, UInt16.self)))
        case (Operation.deletePage, 2): gin.rightLink = try main.load(4, UInt32.self)
        case (Operation.updateMeta, 0): try makeMeta(at: 16)
        case (Operation.updateMeta, 1): try changeTail()
        case (Operation.insertListPage, 0): try makeListPage()
        case (Operation.deleteListPages, 0): try makeMeta(at: 0)
        case (Operation.deleteListPages, _):
            try checkIsNew()
            gin.flags = GINPage.Flag.deleted
        default: throw RedoFault("its operation \(record.operation) changes no page \(block.id)")
        }
    }

    private func checkIsNew() throws(RedoFault) {
        guard block.initializes else { throw RedoFault("its block \(block.id) should be made anew") }
    }

    // MARK: - Insertion

    private enum InsertFlag {
        static let isData: UInt16 = 0x01
        static let isLeaf: UInt16 = 0x02
    }

    private func insert() throws(RedoFault) {
        let flags = try main.load(0, UInt16.self)
        let right = flags & InsertFlag.isLeaf == 0 ? try rightChild() : nil
        let isData = flags & InsertFlag.isData != 0
        guard isData == (gin.flags & GINPage.Flag.data != 0) else { throw RedoFault("its page is of another tree") }
        switch (isData, right) {
        case (false, _): try insertEntry(right)
        case (true, nil): try recompress(RecordData(block.data))
        case (true, let right?):
            var data = RecordData(block.data)
            let offset = Int(try data.read(UInt16.self))
            try gin.insertChild(try data.read(GINPage.childBytes), at: offset, right: right)
        }
    }

    /// The right half of the child whose split ends with the insertion. It comes after the left half, in two halves itself.
    private func rightChild() throws(RedoFault) -> UInt32 {
        UInt32(try main.load(6, UInt16.self)) << 16 | UInt32(try main.load(8, UInt16.self))
    }

    private func insertEntry(_ right: UInt32?) throws(RedoFault) {
        var data = RecordData(block.data)
        let offset = Int(try data.read(UInt16.self))
        let isDelete = try data.read(UInt16.self) & 0xFF != 0
        if let right {
            let (start, length) = try page.item(offset)
            guard length >= IndexTuple.headerBytes else { throw RedoFault("its tuple \(offset) is too short") }
            page.storeBlock(right, start)
            page.store(UInt16(0), start + 4)
        }
        if isDelete { try page.deleteItem(offset) }
        try page.add(try IndexTuple(data.rest).bytes, at: offset, overwrites: false)
    }

    // MARK: - Posting trees

    private func makePostingTree() throws(RedoFault) {
        try checkIsNew()
        var data = main
        let size = Int(try data.read(UInt32.self))
        gin.flags = GINPage.Flag.data | GINPage.Flag.leaf | GINPage.Flag.compressed
        var leaf = try GINLeaf(gin)
        try leaf.append(try data.read(size))
        leaf.finish()
    }

    /// `ginRedoRecompress`: some segments of a leaf go, come, or are others now.
    private func recompress(_ actions: RecordData) throws(RedoFault) {
        var fault: RedoFault?
        withUnsafeTemporaryAllocation(byteCount: Page.size, alignment: 8) { copy in
            do throws(RedoFault) {
                var leaf = try GINLeaf(gin)
                try leaf.change(try leaf.takeSegments(copy), actions)
                leaf.finish()
            } catch { fault = error }
        }
        if let fault { throw fault }
    }

    private func deletePage() throws(RedoFault) {
        guard gin.flags & GINPage.Flag.data != 0 else { throw RedoFault("its page is none of a posting tree") }
        gin.flags |= GINPage.Flag.deleted
        // From which transaction on nobody can be on the way to it.
        page.pruneXid = try main.load(8, UInt32.self)
    }

    // MARK: - The first page, and the pending list

    private static let metaBytes = 56

    /// - Parameter place: Of the first page's contents, in the record.
    private func makeMeta(at place: Int) throws(RedoFault) {
        try checkIsNew()
        var data = main
        _ = try data.read(place)
        let contents = try data.read(Self.metaBytes)
        gin.flags = GINPage.Flag.meta
        UnsafeMutableRawBufferPointer(start: page.bytes + Page.headerSize, count: Self.metaBytes).copyMemory(
            from: contents)
        page.lower = Page.headerSize + Self.metaBytes
    }

    /// The last page of the pending list gets one more row's tuples, or pages behind it.
    private func changeTail() throws(RedoFault) {
        let count = try main.load(80, Int32.self)
        if count > 0 {
            try addTuples(count)
            gin.maxOffset &+= 1
        } else {
            gin.rightLink = try main.load(76, UInt32.self)
        }
    }

    private func makeListPage() throws(RedoFault) {
        try checkIsNew()
        gin.rightLink = try main.load(0, UInt32.self)
        gin.flags = GINPage.Flag.list
        if gin.rightLink == GINPage.none {
            gin.flags |= GINPage.Flag.listFullRow
            gin.maxOffset = 1
        }
        try addTuples(try main.load(4, Int32.self))
    }

    private func addTuples(_ count: Int32) throws(RedoFault) {
        var data = RecordData(block.data)
        for _ in 0..<max(0, count) { try page.append(try data.read(try IndexTuple(data.rest).bytes.count)) }
    }
}
