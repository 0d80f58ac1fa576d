import PostgresFormat

/// A page of an SP-GiST index, and what is done to its tuples.
///
/// Source: PostgreSQL's `src/include/access/spgist_private.h`.
struct SPGiSTPage {
    static let specialSize = 8
    static let special = Page.size - specialSize
    private static let mark: UInt16 = 0xFF82

    enum Flag {
        static let leaf: UInt16 = 0x0004
        static let nulls: UInt16 = 0x0008
    }

    let page: RedoPage

    init(_ page: RedoPage) throws(RedoFault) {
        guard page.special == Self.special else { throw RedoFault("it is no page of an SP-GiST index") }
        self.page = page
    }

    /// Makes the page anew: PostgreSQL's `SpGistInitPage`.
    static func make(_ page: RedoPage, flags: UInt16) -> SPGiSTPage {
        page.initialize(specialSize: specialSize)
        page.store(flags, special)
        page.store(mark, special + 6)
        return SPGiSTPage(unchecked: page)
    }

    private init(unchecked page: RedoPage) { self.page = page }

    var redirectionCount: UInt16 {
        get { page.load(Self.special + 2, UInt16.self) }
        nonmutating set { page.store(newValue, Self.special + 2) }
    }
    var placeholderCount: UInt16 {
        get { page.load(Self.special + 4, UInt16.self) }
        nonmutating set { page.store(newValue, Self.special + 4) }
    }

    // MARK: - Tuples

    /// `addOrReplaceTuple`: what is there already has to be a placeholder.
    func add(_ tuple: UnsafeRawBufferPointer, at offset: UInt16) throws(RedoFault) {
        if offset <= page.lineCount {
            guard try state(Int(offset)) == .placeholder else { throw RedoFault("item \(offset) is no placeholder") }
            placeholderCount &-= 1
            try page.deleteItem(Int(offset))
        }
        try page.add(tuple, at: Int(offset), overwrites: false)
    }

    /// Puts a tuple in the place of another.
    func replace(_ offset: UInt16, with tuple: UnsafeRawBufferPointer) throws(RedoFault) {
        try page.deleteItem(Int(offset))
        try page.add(tuple, at: Int(offset), overwrites: false)
    }

    /// The same with a dead one.
    func replace(_ offset: UInt16, with tuple: SPGiSTDeadTuple) throws(RedoFault) {
        try page.deleteItem(Int(offset))
        try add(tuple, at: Int(offset))
    }

    /// `spgPageIndexMultiDelete`: puts dead tuples in the place of others.
    ///
    /// - Parameters:
    ///   - first: For the first of them in the record, where they are in no order.
    ///   - rest: For all others.
    func replace(
        _ offsets: Int16Array, first: SPGiSTDeadTuple, rest: SPGiSTDeadTuple
    ) throws(RedoFault) {
        guard offsets.count > 0 else { return }
        let sorted = offsets.offsets.sorted()
        try page.deleteItems(sorted)
        for offset in sorted { try add(offset == Int(offsets[0]) ? first : rest, at: offset) }
    }

    private func add(_ tuple: SPGiSTDeadTuple, at offset: Int) throws(RedoFault) {
        let start = try page.makeRoom(SPGiSTDeadTuple.size, at: offset, overwrites: false)
        tuple.write(page, start)
        switch tuple.state {
        case .redirect: redirectionCount &+= 1
        case .placeholder: placeholderCount &+= 1
        case .live, .dead: break
        }
    }

    private func state(_ offset: Int) throws(RedoFault) -> SPGiSTTupleState {
        SPGiSTTupleState(of: page.load(try tuple(offset, atLeast: 4).start, UInt32.self))
    }

    /// Where a tuple lies that has this many bytes.
    private func tuple(_ offset: Int, atLeast size: Int) throws(RedoFault) -> (start: Int, length: Int) {
        let found = try page.item(offset)
        guard found.length >= size else { throw RedoFault("item \(offset) has \(found.length) bytes") }
        return found
    }

    // MARK: - Links

    /// Leads from one leaf tuple to the next of its chain.
    func setNext(_ offset: UInt16, _ next: UInt16) throws(RedoFault) {
        let field = try tuple(Int(offset), atLeast: 6).start + 4
        // The two other bits are flags.
        page.store(page.load(field, UInt16.self) & 0xC000 | next & 0x3FFF, field)
    }

    /// `spgUpdateNodeLink`: where a node of an inner tuple leads to.
    func setDownlink(_ offset: UInt16, node: UInt16, block: UInt32, target: UInt16) throws(RedoFault) {
        let (start, length) = try tuple(Int(offset), atLeast: SPGiSTInnerTuple.headerBytes)
        let head = page.load(start, UInt32.self)
        guard node < head >> 3 & 0x1FFF else { throw RedoFault("item \(offset) has no node \(node)") }
        var place = start + SPGiSTInnerTuple.headerBytes + Int(head >> 16)
        var index = 0
        while place + IndexTuple.headerBytes <= start + length {
            guard index < node else {
                page.storeBlock(block, place)
                page.store(target, place + 4)
                return
            }
            place += Int(page.load(place + IndexTuple.infoOffset, UInt16.self) & IndexTuple.sizeMask)
            index += 1
        }
        throw RedoFault("the nodes of item \(offset) leave it")
    }

    /// Makes a redirection a placeholder: who could follow it has gone.
    func endRedirection(_ offset: UInt16) throws(RedoFault) {
        guard try state(Int(offset)) == .redirect else { throw RedoFault("item \(offset) is no redirection") }
        let start = try tuple(Int(offset), atLeast: SPGiSTDeadTuple.size).start
        page.store(page.load(start, UInt32.self) | SPGiSTTupleState.placeholder.rawValue, start)
        SPGiSTDeadTuple.invalidateLink(page, start)
        redirectionCount &-= 1
        placeholderCount &+= 1
    }

    /// Exchanges two line pointers.
    func swapLines(_ one: UInt16, _ other: UInt16) throws(RedoFault) {
        let lines = 1...max(1, page.lineCount)
        guard page.lineCount > 0, lines.contains(Int(one)), lines.contains(Int(other)) else {
            throw RedoFault("there are no items \(one) and \(other): the page has \(page.lineCount)")
        }
        (page[line: Int(one)], page[line: Int(other)]) = (page[line: Int(other)], page[line: Int(one)])
    }
}
