import PostgresFormat

/// A page of a B-tree.
///
/// Source: PostgreSQL's `src/include/access/nbtree.h`.
struct BtreePage {
    static let specialSize = 16
    static let special = Page.size - specialSize

    enum Flag {
        static let leaf: UInt16 = 0x0001
        static let root: UInt16 = 0x0002
        static let deleted: UInt16 = 0x0004
        static let meta: UInt16 = 0x0008
        static let halfDead: UInt16 = 0x0010
        static let splitEnd: UInt16 = 0x0020
        static let hasGarbage: UInt16 = 0x0040
        static let incompleteSplit: UInt16 = 0x0080
        static let hasFullXid: UInt16 = 0x0100
    }

    let page: RedoPage

    init(_ page: RedoPage) throws(RedoFault) {
        guard page.special == Self.special else { throw RedoFault("it is no page of a B-tree") }
        self.page = page
    }

    /// 0 where there is none.
    var previous: UInt32 {
        get { page.load(Self.special, UInt32.self) }
        nonmutating set { page.store(newValue, Self.special) }
    }
    var next: UInt32 {
        get { page.load(Self.special + 4, UInt32.self) }
        nonmutating set { page.store(newValue, Self.special + 4) }
    }
    var level: UInt32 {
        get { page.load(Self.special + 8, UInt32.self) }
        nonmutating set { page.store(newValue, Self.special + 8) }
    }
    var flags: UInt16 {
        get { page.load(Self.special + 12, UInt16.self) }
        nonmutating set { page.store(newValue, Self.special + 12) }
    }
    var vacuumCycle: UInt16 {
        get { page.load(Self.special + 14, UInt16.self) }
        nonmutating set { page.store(newValue, Self.special + 14) }
    }

    /// Behind the high key, which the rightmost page of a level has not.
    var firstDataItem: Int { next == 0 ? 1 : 2 }
}
