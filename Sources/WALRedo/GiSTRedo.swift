import PostgresFormat

/// Redo of the resource manager Gist.
///
/// Source: PostgreSQL's `src/backend/access/gist/gistxlog.c` and `src/include/access/gistxlog.h`.
struct GiSTRedo {
    private let record: WALRecord
    private let block: WALBlockReference
    private let page: RedoPage
    private let tree: GiSTPage
    private let main: RecordData
    private let major: Int

    /// Two more name no page: that a deleted one is used again, and that an LSN is taken.
    enum Operation {
        static let pageUpdate: UInt8 = 0x00
        static let delete: UInt8 = 0x10
        static let pageSplit: UInt8 = 0x30
        static let pageDelete: UInt8 = 0x60
    }

    init(record: WALRecord, block: WALBlockReference, page: RedoPage, major: Int) throws(RedoFault) {
        tree = block.initializes ? GiSTPage.make(page) : try GiSTPage(page)
        (self.record, self.block, self.page, self.major) = (record, block, page, major)
        main = RecordData(record.mainData)
    }

    func redo() throws(RedoFault) {
        switch (record.operation, block.id) {
        case (Operation.pageUpdate, 0): try update()
        case (Operation.pageUpdate, 1), (Operation.pageSplit, 0): changeRestored()
        case (Operation.delete, 0): try delete()
        case (Operation.pageSplit, _): try makeSplitPage()
        case (Operation.pageDelete, 0): try markDeleted()
        case (Operation.pageDelete, 1): try page.deleteItem(Int(try main.load(8, UInt16.self)))
        default: throw RedoFault("its operation \(record.operation) changes no page \(block.id)")
        }
    }

    /// What is done to a page even where its image was restored: the left half of a split has its downlink now, and its
    /// sequence number is the record's LSN, which no image can have.
    func changeRestored() {
        switch (record.operation, block.id) {
        case (Operation.pageUpdate, 1), (Operation.pageSplit, 0):
            tree.nsn = record.endLSN.rawValue
            tree.flags &= ~GiSTPage.Flag.followRight
        default: break
        }
    }

    // MARK: - Tuples

    private func update() throws(RedoFault) {
        let deletedCount = Int(try main.load(0, UInt16.self))
        var data = RecordData(block.data)
        let deleted = try data.readArray(deletedCount)
        if deletedCount == 1, try main.load(2, UInt16.self) == 1 {
            return try page.overwriteItem(Int(deleted[0]), with: try IndexTuple(data.rest).bytes)
        }
        if deletedCount > 0 {
            try page.deleteItems(deleted.offsets)
            if tree.isLeaf { tree.flags |= GiSTPage.Flag.tuplesDeleted }
        }
        try fill(data)
    }

    /// Tuples lie one behind the other, each as long as it says itself.
    private func fill(_ tuples: RecordData) throws(RedoFault) {
        var tuples = tuples
        while tuples.count > 0 { try page.append(try tuples.read(try IndexTuple(tuples.rest).bytes.count)) }
    }

    /// Tuples that were found dead. That some were deleted is not marked, other than by PostgreSQL's redo: the server
    /// does not mark it here, and nobody reads it.
    private func delete() throws(RedoFault) {
        var data = main
        _ = try data.read(4)
        let count = Int(try data.read(UInt16.self))
        // Since 16 there is a flag, and its padding.
        if major >= 16 { _ = try data.read(2) }
        try page.deleteItems(try data.readArray(count).offsets)
        tree.flags &= ~GiSTPage.Flag.hasGarbage
    }

    // MARK: - Pages

    private static let root: UInt32 = 0

    private func makeSplitPage() throws(RedoFault) {
        guard block.initializes, let first = record.block(1) else {
            throw RedoFault("the pages of a split should be made anew")
        }
        var data = RecordData(block.data)
        let count = try data.read(UInt32.self)
        try fill(data)
        guard page.lineCount == count else { throw RedoFault("it has \(page.lineCount) tuples, and not \(count)") }
        tree.nsn = try main.load(8, UInt64.self)
        guard block.block != Self.root else { return }
        if try main.load(16, UInt8.self) != 0 { tree.flags |= GiSTPage.Flag.leaf }
        if Int(block.id) < Int(try main.load(18, UInt16.self)) {
            guard let next = record.block(block.id + 1) else {
                throw RedoFault("it has no block reference \(block.id + 1)")
            }
            tree.right = next.block
            // Below a new root, all downlinks are there.
            let marks = try main.load(20, UInt8.self) != 0
            if marks, first.block != Self.root { tree.flags |= GiSTPage.Flag.followRight }
        } else {
            tree.right = try main.load(0, UInt32.self)
        }
    }

    /// `GistPageSetDeleted`: all that is left is the last transaction that could come to the page.
    private func markDeleted() throws(RedoFault) {
        let end = Page.headerSize + 8
        guard page.upper >= end else { throw RedoFault("the page to be deleted is full") }
        page.store(try main.load(0, UInt64.self), Page.headerSize)
        page.lower = end
        tree.flags |= GiSTPage.Flag.deleted
    }
}
