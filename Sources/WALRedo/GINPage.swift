import Glibc
import PostgresFormat

/// A page of a GIN index.
///
/// Source: PostgreSQL's `src/include/access/ginblock.h`.
struct GINPage {
    static let specialSize = 8
    static let special = Page.size - specialSize
    /// No block.
    static let none: UInt32 = .max
    /// Of a page of a posting tree, what it holds: before it is the greatest row that it may have.
    static let dataStart = Page.headerSize + aligned(GINPostingList.tidBytes)

    enum Flag {
        static let data: UInt16 = 0x0001
        static let leaf: UInt16 = 0x0002
        static let deleted: UInt16 = 0x0004
        static let meta: UInt16 = 0x0008
        static let list: UInt16 = 0x0010
        static let listFullRow: UInt16 = 0x0020
        static let incompleteSplit: UInt16 = 0x0040
        static let compressed: UInt16 = 0x0080
    }

    let page: RedoPage

    init(_ page: RedoPage) throws(RedoFault) {
        guard page.special == Self.special else { throw RedoFault("it is no page of a GIN index") }
        self.page = page
    }

    /// Makes the page anew, as `GinInitPage` does.
    static func make(_ page: RedoPage, flags: UInt16) -> GINPage {
        page.initialize(specialSize: specialSize)
        let made = GINPage(unchecked: page)
        made.rightLink = none
        made.flags = flags
        return made
    }

    private init(unchecked page: RedoPage) { self.page = page }

    var rightLink: UInt32 {
        get { page.load(Self.special, UInt32.self) }
        nonmutating set { page.store(newValue, Self.special) }
    }
    /// How many children an upper page of a posting tree has, or of how many rows the last tuples are in a page of the
    /// pending list.
    var maxOffset: UInt16 {
        get { page.load(Self.special + 4, UInt16.self) }
        nonmutating set { page.store(newValue, Self.special + 4) }
    }
    var flags: UInt16 {
        get { page.load(Self.special + 6, UInt16.self) }
        nonmutating set { page.store(newValue, Self.special + 6) }
    }

    // MARK: - Upper pages of posting trees

    /// `PostingItem`: a block in two halves, the higher one first, and the greatest row below it.
    static let childBytes = 10

    /// `GinDataPageAddPostingItem`, as it ends a split: the child there gives its place to its left half.
    ///
    /// - Parameter right: The block of the right half.
    func insertChild(_ child: UnsafeRawBufferPointer, at offset: Int, right: UInt32) throws(RedoFault) {
        let start = try place(ofChild: offset)
        let size = Self.childBytes
        guard let source = child.baseAddress, child.count == size else {
            throw RedoFault("a child of \(child.count) bytes")
        }
        let end = Self.dataStart + Int(maxOffset) * size
        guard end + size <= page.upper else { throw RedoFault("it has \(maxOffset) children, and no room for another") }
        page.storeBlock(right, start)
        memmove(page.bytes + start + size, page.bytes + start, end - start)
        (page.bytes + start).copyMemory(from: source, byteCount: size)
        maxOffset += 1
        page.lower = end + size
    }

    /// `GinPageDeletePostingItem`.
    func deleteChild(_ offset: Int) throws(RedoFault) {
        let start = try place(ofChild: offset)
        let end = Self.dataStart + Int(maxOffset) * Self.childBytes
        memmove(page.bytes + start, page.bytes + start + Self.childBytes, end - start - Self.childBytes)
        maxOffset -= 1
        page.lower = end - Self.childBytes
    }

    private func place(ofChild offset: Int) throws(RedoFault) -> Int {
        guard flags & (Flag.data | Flag.leaf) == Flag.data else {
            throw RedoFault("it has no children in a posting tree")
        }
        guard offset >= 1, offset <= maxOffset, Self.dataStart + Int(maxOffset) * Self.childBytes <= page.upper else {
            throw RedoFault("there is no child \(offset): the page has \(maxOffset)")
        }
        return Self.dataStart + (offset - 1) * Self.childBytes
    }
}
