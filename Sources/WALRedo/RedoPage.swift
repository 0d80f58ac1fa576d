import Glibc
public import PostgresFormat

/// A page that redo changes in place. It owns nothing: valid as long as the pointer is.
///
/// Source: PostgreSQL's `src/include/storage/bufpage.h` and `itemid.h`.
public struct RedoPage {
    public let bytes: UnsafeMutableRawPointer

    /// - Parameter bytes: `Page.size` bytes, at any alignment.
    public init(_ bytes: UnsafeMutableRawPointer) { self.bytes = bytes }

    /// The same page, to be read.
    public var page: Page { Page(bytes) }

    // MARK: - Fields

    /// - Precondition: The field is within the page.
    @inline(__always)
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
        assert(offset >= 0 && offset + MemoryLayout<T>.size <= Page.size)
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// - Precondition: The field is within the page.
    @inline(__always)
    func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, _ offset: Int) {
        assert(offset >= 0 && offset + MemoryLayout<T>.size <= Page.size)
        bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }

    /// A block's number as tuples have it: two halves, the higher one first.
    ///
    /// - Precondition: It is within the page.
    @inline(__always)
    func storeBlock(_ block: UInt32, _ offset: Int) {
        store(UInt16(block >> 16), offset)
        store(UInt16(truncatingIfNeeded: block), offset + 2)
    }

    private enum Field {
        static let checksum = 8
        static let flags = 10
        static let lower = 12
        static let upper = 14
        static let special = 16
        static let sizeAndVersion = 18
        static let pruneXid = 20
    }

    /// Where the last record that changed it ends.
    public var lsn: LSN {
        get { page.lsn }
        nonmutating set {
            store(UInt32(newValue.rawValue >> 32), 0)
            store(UInt32(truncatingIfNeeded: newValue.rawValue), 4)
        }
    }
    var flags: PageFlags {
        get { page.flags }
        nonmutating set { store(newValue.rawValue, Field.flags) }
    }
    var lower: Int {
        get { Int(page.lower) }
        nonmutating set { store(UInt16(newValue), Field.lower) }
    }
    var upper: Int {
        get { Int(page.upper) }
        nonmutating set { store(UInt16(newValue), Field.upper) }
    }
    var special: Int { Int(page.special) }
    var pruneXid: UInt32 {
        get { page.pruneXid }
        nonmutating set { store(newValue, Field.pruneXid) }
    }

    // MARK: - Whole pages

    private static let sizeAndVersion: UInt16 = 0x2004

    /// PostgreSQL's `PageInit`.
    func initialize(specialSize: Int) {
        memset(bytes, 0, Page.size)
        let special = Page.size - aligned(specialSize)
        lower = Page.headerSize
        upper = special
        store(UInt16(special), Field.special)
        store(Self.sizeAndVersion, Field.sizeAndVersion)
    }

    /// Proves what everything else here relies on.
    func checkHeader() throws(RedoFault) {
        guard lower >= Page.headerSize, lower <= upper, upper <= special, special <= Page.size, special % 8 == 0 else {
            throw RedoFault("the page's header is damaged: lower \(lower), upper \(upper), special \(special)")
        }
    }

    // MARK: - Line pointers

    /// How many there are: offsets begin with 1.
    var lineCount: Int { max(0, (lower - Page.headerSize) / 4) }

    /// - Precondition: 1 ... `lineCount`, or the one behind it where there is room.
    subscript(line offset: Int) -> LinePointer {
        get { LinePointer(rawValue: load(Page.headerSize + (offset - 1) * 4, UInt32.self)) }
        nonmutating set { store(newValue.rawValue, Page.headerSize + (offset - 1) * 4) }
    }

    /// Where an item lies that has storage.
    func item(_ offset: Int) throws(RedoFault) -> (start: Int, length: Int) {
        guard offset >= 1, offset <= lineCount else {
            throw RedoFault("there is no item \(offset): the page has \(lineCount)")
        }
        let line = self[line: offset]
        guard line.length > 0, line.offset >= upper, line.offset + line.length <= special else {
            throw RedoFault("item \(offset) has no storage within the page: \(line)")
        }
        return (line.offset, line.length)
    }

    /// The same, of an ordinary item.
    func normalItem(_ offset: Int) throws(RedoFault) -> (start: Int, length: Int) {
        let found = try item(offset)
        guard self[line: offset].state == .normal else { throw RedoFault("item \(offset) is \(self[line: offset])") }
        return found
    }
}

/// PostgreSQL's `MAXALIGN`.
@inline(__always) func aligned(_ size: Int) -> Int { (size + 7) & ~7 }

/// A line pointer, `ItemIdData`: where an item lies in its page.
struct LinePointer: RawRepresentable, Equatable, CustomStringConvertible {
    enum State: UInt32 {
        case unused, normal, redirect, dead
    }
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// - Precondition: Both fit into 15 bits.
    init(_ state: State, offset: Int = 0, length: Int = 0) {
        rawValue = UInt32(offset) | state.rawValue << 15 | UInt32(length) << 17
    }

    static let unused = LinePointer(.unused)

    /// In bytes from the page's beginning; of a redirection, the item that it leads to.
    var offset: Int { Int(rawValue & 0x7FFF) }
    var state: State { State(rawValue: rawValue >> 15 & 3)! }  // all four values are there
    var length: Int { Int(rawValue >> 17) }
    var hasStorage: Bool { length > 0 }

    func moved(to offset: Int) -> LinePointer { LinePointer(state, offset: offset, length: length) }

    var description: String { "\(state), \(length) bytes at \(offset)" }
}
