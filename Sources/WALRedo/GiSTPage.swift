import PostgresFormat

/// A page of a GiST index.
///
/// Source: PostgreSQL's `src/include/access/gist.h`.
struct GiSTPage {
    static let specialSize = 16
    static let special = Page.size - specialSize
    /// No page to the right.
    static let none: UInt32 = .max
    private static let mark: UInt16 = 0xFF81

    enum Flag {
        static let leaf: UInt16 = 0x0001
        static let deleted: UInt16 = 0x0002
        static let tuplesDeleted: UInt16 = 0x0004
        static let followRight: UInt16 = 0x0008
        static let hasGarbage: UInt16 = 0x0010
    }

    let page: RedoPage

    init(_ page: RedoPage) throws(RedoFault) {
        guard page.special == Self.special else { throw RedoFault("it is no page of a GiST index") }
        self.page = page
    }

    /// Makes the page anew: PostgreSQL's `gistinitpage`.
    static func make(_ page: RedoPage) -> GiSTPage {
        page.initialize(specialSize: specialSize)
        let made = GiSTPage(unchecked: page)
        made.right = none
        page.store(mark, special + 14)
        return made
    }

    private init(unchecked page: RedoPage) { self.page = page }

    /// The sequence number: where WAL went on after the last split of the page whose downlink is in place.
    var nsn: UInt64 {
        get { UInt64(page.load(Self.special, UInt32.self)) << 32 | UInt64(page.load(Self.special + 4, UInt32.self)) }
        nonmutating set {
            page.store(UInt32(newValue >> 32), Self.special)
            page.store(UInt32(truncatingIfNeeded: newValue), Self.special + 4)
        }
    }
    var right: UInt32 {
        get { page.load(Self.special + 8, UInt32.self) }
        nonmutating set { page.store(newValue, Self.special + 8) }
    }
    var flags: UInt16 {
        get { page.load(Self.special + 12, UInt16.self) }
        nonmutating set { page.store(newValue, Self.special + 12) }
    }
    var isLeaf: Bool { flags & Flag.leaf != 0 }
}
