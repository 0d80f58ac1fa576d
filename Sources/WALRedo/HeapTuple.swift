import PostgresFormat

/// The header of a tuple in a heap's page.
///
/// Source: PostgreSQL's `src/include/access/htup_details.h`.
struct HeapTuple {
    let page: RedoPage
    /// Where it begins, and all of its bytes; the header has been found to be within.
    let start: Int
    let length: Int

    /// `SizeofHeapTupleHeader`, without the bitmap of nulls.
    static let headerBytes = 23

    init(_ page: RedoPage, _ offset: Int) throws(RedoFault) {
        self.page = page
        (start, length) = try page.normalItem(offset)
        guard length >= Self.headerBytes, (Self.headerBytes...length).contains(headerSize) else {
            throw RedoFault("item \(offset) is no tuple: it has \(length) bytes")
        }
    }

    private enum Field {
        static let xmin = 0
        static let xmax = 4
        static let cid = 8
        static let ctid = 12
        static let infomask2 = 18
        static let infomask = 20
        static let headerSize = 22
    }

    enum Mask {
        static let hasComboCid: UInt16 = 0x0020
        static let lockOnly: UInt16 = 0x0080
        static let exclusiveLock: UInt16 = 0x0040
        static let keyShareLock: UInt16 = 0x0010
        static let xminFrozen: UInt16 = 0x0300
        static let xmaxCommitted: UInt16 = 0x0400
        static let xmaxInvalid: UInt16 = 0x0800
        static let xmaxIsMulti: UInt16 = 0x1000
        /// `HEAP_XACT_MASK`.
        static let transaction: UInt16 = 0xFFF0
        /// `HEAP_XMAX_BITS`.
        static let xmax: UInt16 = 0x1CD0
        /// `HEAP_MOVED`.
        static let moved: UInt16 = 0xC000
    }
    enum Mask2 {
        static let keysUpdated: UInt16 = 0x2000
        static let hotUpdated: UInt16 = 0x4000
    }

    var xmin: UInt32 {
        get { page.load(start + Field.xmin, UInt32.self) }
        nonmutating set { page.store(newValue, start + Field.xmin) }
    }
    var xmax: UInt32 {
        get { page.load(start + Field.xmax, UInt32.self) }
        nonmutating set { page.store(newValue, start + Field.xmax) }
    }
    /// `t_cid`, which also holds `t_xvac`.
    var cid: UInt32 {
        get { page.load(start + Field.cid, UInt32.self) }
        nonmutating set { page.store(newValue, start + Field.cid) }
    }
    var infomask: UInt16 {
        get { page.load(start + Field.infomask, UInt16.self) }
        nonmutating set { page.store(newValue, start + Field.infomask) }
    }
    var infomask2: UInt16 {
        get { page.load(start + Field.infomask2, UInt16.self) }
        nonmutating set { page.store(newValue, start + Field.infomask2) }
    }
    /// `t_hoff`.
    var headerSize: Int { Int(page.load(start + Field.headerSize, UInt8.self)) }

    func setCtid(block: UInt32, offset: UInt16) {
        page.storeBlock(block, start + Field.ctid)
        page.store(offset, start + Field.ctid + 4)
    }
    var ctidOffset: UInt16 { page.load(start + Field.ctid + 4, UInt16.self) }

    /// `HeapTupleHeaderSetCmax` with command 0.
    func clearCommand() {
        cid = 0
        infomask &= ~Mask.hasComboCid
    }

    /// `fix_infomask_from_infobits`, and with it what a deletion, an update or a lock replaces.
    func setLockBits(_ infobits: UInt8, clearing mask: UInt16 = Mask.xmax | Mask.moved) {
        infomask &= ~mask
        infomask2 &= ~Mask2.keysUpdated
        if infobits & 0x01 != 0 { infomask |= Mask.xmaxIsMulti }
        if infobits & 0x02 != 0 { infomask |= Mask.lockOnly }
        if infobits & 0x04 != 0 { infomask |= Mask.exclusiveLock }
        if infobits & 0x08 != 0 { infomask |= Mask.keyShareLock }
        if infobits & 0x10 != 0 { infomask2 |= Mask2.keysUpdated }
    }

    /// `HEAP_XMAX_IS_LOCKED_ONLY`.
    var isLockedOnly: Bool {
        infomask & Mask.lockOnly != 0
            || infomask & (Mask.xmaxIsMulti | Mask.keyShareLock | Mask.exclusiveLock) == Mask.exclusiveLock
    }
}

/// What a record holds of a tuple's header: the rest follows from the record.
struct StoredTupleHeader {
    let infomask2: UInt16
    let infomask: UInt16
    let headerSize: UInt8

    init(_ data: inout RecordData) throws(RedoFault) {
        infomask2 = try data.read(UInt16.self)
        infomask = try data.read(UInt16.self)
        headerSize = try data.read(UInt8.self)
        guard headerSize >= HeapTuple.headerBytes else {
            throw RedoFault("a tuple in it has a header of \(headerSize) bytes")
        }
    }

    /// Writes a tuple's header where `makeRoom` has made room for it.
    func write(_ page: RedoPage, _ start: Int, xmin: UInt32, xmax: UInt32 = 0, block: UInt32, offset: UInt16) {
        page.store(xmin, start)
        page.store(xmax, start + 4)
        page.store(UInt32(0), start + 8)
        page.storeBlock(block, start + 12)
        page.store(offset, start + 16)
        page.store(infomask2, start + 18)
        page.store(infomask, start + 20)
        page.store(headerSize, start + 22)
    }
}
