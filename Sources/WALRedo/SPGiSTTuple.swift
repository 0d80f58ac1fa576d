/// What a tuple of an SP-GiST index is: in the lowest bits of all of them.
///
/// Source: PostgreSQL's `src/include/access/spgist_private.h`.
enum SPGiSTTupleState: UInt32 {
    case live, redirect, dead, placeholder

    /// - Parameter head: The first field of a tuple.
    init(of head: UInt32) { self = Self(rawValue: head & 3)! }  // all four values are there
}

/// A tuple without a value: it keeps a place, or leads elsewhere.
struct SPGiSTDeadTuple {
    static let size = 16
    private static let linkOffset = 6

    let state: SPGiSTTupleState
    /// Of a redirection.
    private let (block, offset, xid): (UInt32, UInt16, UInt32)

    static let dead = SPGiSTDeadTuple(state: .dead)
    static let placeholder = SPGiSTDeadTuple(state: .placeholder)

    /// - Parameter xid: The transaction that has moved what was here.
    static func redirect(block: UInt32, offset: UInt16, xid: UInt32) -> SPGiSTDeadTuple {
        SPGiSTDeadTuple(state: .redirect, block: block, offset: offset, xid: xid)
    }

    private init(state: SPGiSTTupleState, block: UInt32 = .max, offset: UInt16 = 0, xid: UInt32 = 0) {
        self.state = state
        (self.block, self.offset, self.xid) = (block, offset, xid)
    }

    /// `spgFormDeadTuple`.
    ///
    /// - Precondition: There are as many bytes.
    func write(_ page: RedoPage, _ start: Int) {
        page.store(state.rawValue | UInt32(Self.size) << 2, start)
        page.store(UInt16(0), start + 4)
        Self.setLink(page, start, block, offset)
        page.store(xid, start + 12)
    }

    static func invalidateLink(_ page: RedoPage, _ start: Int) { setLink(page, start, .max, 0) }

    private static func setLink(_ page: RedoPage, _ start: Int, _ block: UInt32, _ offset: UInt16) {
        page.storeBlock(block, start + linkOffset)
        page.store(offset, start + linkOffset + 4)
    }
}

enum SPGiSTInnerTuple {
    static let headerBytes = 8

    /// The next one of a record.
    static func read(_ data: inout RecordData) throws(RedoFault) -> UnsafeRawBufferPointer {
        try data.read(Int(try data.load(4, UInt16.self)))
    }
}

enum SPGiSTLeafTuple {
    /// The next one of a record.
    static func read(_ data: inout RecordData) throws(RedoFault) -> UnsafeRawBufferPointer {
        try data.read(Int(try data.load(0, UInt32.self) >> 2))
    }
}
