import PostgresFormat

/// Redo of the resource manager SPGist.
///
/// Source: PostgreSQL's `src/backend/access/spgist/spgxlog.c` and `src/include/access/spgxlog.h`.
struct SPGiSTRedo {
    private let record: WALRecord
    private let block: WALBlockReference
    private let page: RedoPage
    private let tree: SPGiSTPage
    private let main: RecordData
    private let major: Int

    enum Operation {
        static let addLeaf: UInt8 = 0x10
        static let moveLeafs: UInt8 = 0x20
        static let addNode: UInt8 = 0x30
        static let splitTuple: UInt8 = 0x40
        static let pickSplit: UInt8 = 0x50
        static let vacuumLeaf: UInt8 = 0x60
        static let vacuumRoot: UInt8 = 0x70
        static let vacuumRedirect: UInt8 = 0x80
    }

    init(record: WALRecord, block: WALBlockReference, page: RedoPage, major: Int) throws(RedoFault) {
        let main = RecordData(record.mainData)
        tree =
            block.initializes
            ? SPGiSTPage.make(page, flags: try Self.flags(record.operation, block.id, main)) : try SPGiSTPage(page)
        (self.record, self.block, self.page, self.main, self.major) = (record, block, page, main, major)
    }

    /// Of a page that is made anew. No record that deals with nulls adds a node or splits a tuple.
    private static func flags(_ operation: UInt8, _ id: UInt8, _ main: RecordData) throws(RedoFault) -> UInt16 {
        func nulls(_ offset: Int) throws(RedoFault) -> UInt16 {
            try main.load(offset, UInt8.self) != 0 ? SPGiSTPage.Flag.nulls : 0
        }
        switch (operation, id) {
        case (Operation.addLeaf, 0): return try SPGiSTPage.Flag.leaf | nulls(1)
        case (Operation.moveLeafs, 1): return try SPGiSTPage.Flag.leaf | nulls(4)
        case (Operation.pickSplit, 0), (Operation.pickSplit, 1): return try SPGiSTPage.Flag.leaf | nulls(11)
        case (Operation.pickSplit, 2): return try nulls(11)
        case (Operation.addNode, 1), (Operation.splitTuple, 1): return 0
        default: throw RedoFault("its operation \(operation) makes no page \(id)")
        }
    }

    func redo() throws(RedoFault) {
        switch (record.operation, block.id) {
        case (Operation.addLeaf, 0): try addLeaf()
        case (Operation.addLeaf, 1): try link(parentAt: 6, to: try number(0), try main.load(2, UInt16.self))
        case (Operation.moveLeafs, 0): try giveLeafs()
        case (Operation.moveLeafs, 1): try takeLeafs()
        case (Operation.moveLeafs, 2):
            try link(parentAt: 6, to: try number(1), try MovedLeafs(main).target)
        case (Operation.addNode, 0): try addNodeHere()
        case (Operation.addNode, 1): try addNodeElsewhere()
        case (Operation.addNode, 2): try linkNewNode()
        case (Operation.splitTuple, 0): try splitTuple()
        case (Operation.splitTuple, 1): try tree.add(try split().postfix, at: try main.load(2, UInt16.self))
        case (Operation.pickSplit, 0): try pickSplitSource()
        case (Operation.pickSplit, 1): try addPicked(isDestination: true)
        case (Operation.pickSplit, 2): try pickSplitInner()
        case (Operation.pickSplit, 3): try linkInner()
        case (Operation.vacuumLeaf, 0): try vacuumLeaf()
        case (Operation.vacuumRoot, 0): try vacuumRoot()
        case (Operation.vacuumRedirect, 0): try vacuumRedirect()
        default: throw RedoFault("its operation \(record.operation) changes no page \(block.id)")
        }
    }

    /// The block of another reference.
    private func number(_ id: UInt8) throws(RedoFault) -> UInt32 {
        guard let block = record.block(id) else { throw RedoFault("it has no block reference \(id)") }
        return block.block
    }

    /// - Parameter place: Of the parent's offset in the record; the node comes behind it.
    private func link(parentAt place: Int, to block: UInt32, _ target: UInt16) throws(RedoFault) {
        try tree.setDownlink(
            try main.load(place, UInt16.self), node: try main.load(place + 2, UInt16.self), block: block, target: target
        )
    }

    /// What is left where a tuple was moved from.
    ///
    /// - Parameter place: Of the record's transaction; whether the index is being built comes behind it.
    private func redirect(stateAt place: Int, to block: UInt32, _ offset: UInt16) throws(RedoFault) -> SPGiSTDeadTuple {
        if try main.load(place + 4, UInt8.self) != 0 { return .placeholder }
        return .redirect(block: block, offset: offset, xid: try main.load(place, UInt32.self))
    }

    /// What comes behind the record's own fields.
    private func data(from offset: Int) throws(RedoFault) -> RecordData {
        var data = main
        _ = try data.read(offset)
        return data
    }

    // MARK: - Leaf tuples

    private func addLeaf() throws(RedoFault) {
        let offset = try main.load(2, UInt16.self)
        let head = try main.load(4, UInt16.self)
        var data = try data(from: 10)
        let tuple = try SPGiSTLeafTuple.read(&data)
        // A chain of which nothing but a dead tuple was left begins anew.
        if offset == head { return try tree.replace(offset, with: tuple) }
        try tree.add(tuple, at: offset)
        if head != 0 { try tree.setNext(head, offset) }
    }

    /// The tuples of a chain that go to another page.
    private struct MovedLeafs {
        let deleted: Int16Array
        let inserted: Int16Array
        let tuples: RecordData

        init(_ main: RecordData) throws(RedoFault) {
            let count = Int(try main.load(0, UInt16.self))
            let replacesDead = try main.load(3, UInt8.self) != 0
            var data = main
            _ = try data.read(20)
            deleted = try data.readArray(count)
            inserted = try data.readArray(replacesDead ? 1 : count + 1)
            tuples = data
        }

        /// The last one is the chain's head.
        var target: UInt16 { inserted[inserted.count - 1] }
    }

    private func giveLeafs() throws(RedoFault) {
        let moved = try MovedLeafs(main)
        let redirect = try redirect(stateAt: 12, to: try number(1), moved.target)
        try tree.replace(moved.deleted, first: redirect, rest: .placeholder)
    }

    private func takeLeafs() throws(RedoFault) {
        let moved = try MovedLeafs(main)
        var tuples = moved.tuples
        for index in 0..<moved.inserted.count {
            try tree.add(try SPGiSTLeafTuple.read(&tuples), at: moved.inserted[index])
        }
    }

    // MARK: - Inner tuples

    /// In which page the parent of an inner tuple is that has moved: one of the record's references, or none.
    private func parentReference() throws(RedoFault) -> Int8 { try main.load(5, Int8.self) }

    private func addNodeHere() throws(RedoFault) {
        let offset = try main.load(0, UInt16.self)
        guard let target = record.block(1) else {
            var data = try data(from: 20)
            return try tree.replace(offset, with: try SPGiSTInnerTuple.read(&data))
        }
        let newOffset = try main.load(2, UInt16.self)
        try tree.replace(offset, with: try redirect(stateAt: 12, to: target.block, newOffset))
        if try parentReference() == 0 { try linkNewNode() }
    }

    private func addNodeElsewhere() throws(RedoFault) {
        var data = try data(from: 20)
        try tree.add(try SPGiSTInnerTuple.read(&data), at: try main.load(2, UInt16.self))
        if try parentReference() == 1 { try linkNewNode() }
    }

    private func linkNewNode() throws(RedoFault) {
        try link(parentAt: 6, to: try number(1), try main.load(2, UInt16.self))
    }

    private func split() throws(RedoFault) -> (prefix: UnsafeRawBufferPointer, postfix: UnsafeRawBufferPointer) {
        var data = try data(from: 6)
        let prefix = try SPGiSTInnerTuple.read(&data)
        return (prefix, try SPGiSTInnerTuple.read(&data))
    }

    private func splitTuple() throws(RedoFault) {
        let (prefix, postfix) = try split()
        try tree.replace(try main.load(0, UInt16.self), with: prefix)
        if try main.load(5, UInt8.self) != 0 { try tree.add(postfix, at: try main.load(2, UInt16.self)) }
    }

    // MARK: - Leaf tuples that become an inner one

    /// What a chain is replaced by.
    private struct PickSplit {
        let deleted: Int16Array
        let inserted: Int16Array
        /// For each of them, whether it goes to the destination; otherwise it stays in the source.
        let isDestination: UnsafeRawBufferPointer
        let inner: UnsafeRawBufferPointer
        let leafs: RecordData

        init(_ main: RecordData) throws(RedoFault) {
            let deletedCount = Int(try main.load(2, UInt16.self))
            let insertedCount = Int(try main.load(4, UInt16.self))
            var data = main
            _ = try data.read(28)
            deleted = try data.readArray(deletedCount)
            inserted = try data.readArray(insertedCount)
            isDestination = try data.read(insertedCount)
            inner = try SPGiSTInnerTuple.read(&data)
            leafs = data
        }
    }

    private func pickSplitSource() throws(RedoFault) {
        if !block.initializes {
            let redirect = try redirect(stateAt: 20, to: try number(2), try main.load(8, UInt16.self))
            try tree.replace(try PickSplit(main).deleted, first: redirect, rest: .placeholder)
        }
        try addPicked(isDestination: false)
    }

    private func addPicked(isDestination: Bool) throws(RedoFault) {
        let split = try PickSplit(main)
        var leafs = split.leafs
        for index in 0..<split.inserted.count {
            let tuple = try SPGiSTLeafTuple.read(&leafs)
            guard (split.isDestination[index] != 0) == isDestination else { continue }
            try tree.add(tuple, at: split.inserted[index])
        }
    }

    private func pickSplitInner() throws(RedoFault) {
        try tree.add(try PickSplit(main).inner, at: try main.load(8, UInt16.self))
        if try main.load(12, UInt8.self) != 0 { try linkInner() }
    }

    private func linkInner() throws(RedoFault) {
        try link(parentAt: 14, to: try number(2), try main.load(8, UInt16.self))
    }

    // MARK: - Vacuum

    private func vacuumLeaf() throws(RedoFault) {
        var data = try data(from: 16)
        let dead = try data.readArray(Int(try main.load(0, UInt16.self)))
        let placeholders = try data.readArray(Int(try main.load(2, UInt16.self)))
        let moveCount = Int(try main.load(4, UInt16.self))
        let (sources, targets) = (try data.readArray(moveCount), try data.readArray(moveCount))
        let chainCount = Int(try main.load(6, UInt16.self))
        let (links, nexts) = (try data.readArray(chainCount), try data.readArray(chainCount))
        try tree.replace(dead, first: .dead, rest: .dead)
        try tree.replace(placeholders, first: .placeholder, rest: .placeholder)
        for index in 0..<moveCount { try tree.swapLines(sources[index], targets[index]) }
        try tree.replace(sources, first: .placeholder, rest: .placeholder)
        for index in 0..<chainCount { try tree.setNext(links[index], nexts[index]) }
    }

    private func vacuumRoot() throws(RedoFault) {
        var data = try data(from: 12)
        try page.deleteItems(try data.readArray(Int(try main.load(0, UInt16.self))).offsets)
    }

    private func vacuumRedirect() throws(RedoFault) {
        // Since 16 there is a flag, and its padding.
        var data = try data(from: major >= 16 ? 10 : 8)
        let redirections = try data.readArray(Int(try main.load(0, UInt16.self)))
        for index in 0..<redirections.count { try tree.endRedirection(redirections[index]) }
        let first = Int(try main.load(2, UInt16.self))
        guard first != 0 else { return }
        guard first <= page.lineCount else { throw RedoFault("placeholders to be deleted are not there") }
        tree.placeholderCount &-= UInt16(page.lineCount + 1 - first)
        try page.deleteItems(first...page.lineCount)
    }
}
