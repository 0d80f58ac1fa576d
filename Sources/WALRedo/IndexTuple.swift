import PostgresFormat

/// A tuple of an index, as it lies in a page or a record.
///
/// Source: PostgreSQL's `src/include/access/itup.h`.
struct IndexTuple {
    static let headerBytes = 8
    static let maxSize = 0x1FFF
    static let infoOffset = 6
    /// In the info; from there on it is the access method's.
    static let sizeMask: UInt16 = 0x1FFF

    /// As long as the tuple says itself.
    let bytes: UnsafeRawBufferPointer

    /// - Parameter source: Begins with the tuple.
    init(_ source: UnsafeRawBufferPointer) throws(RedoFault) {
        let size = Int(try RecordData(source).load(Self.infoOffset, UInt16.self) & Self.sizeMask)
        guard size >= Self.headerBytes, size <= source.count else {
            throw RedoFault("a tuple of \(size) bytes, where there are \(source.count)")
        }
        bytes = UnsafeRawBufferPointer(rebasing: source[..<size])
    }

    init(_ page: RedoPage, _ offset: Int) throws(RedoFault) { try self.init(page.itemBytes(offset)) }

    /// The next tuple of a record, with the padding behind it.
    static func read(_ data: inout RecordData) throws(RedoFault) -> UnsafeRawBufferPointer {
        try data.read(aligned(try IndexTuple(data.rest).bytes.count))
    }
}

extension RedoPage {
    /// The bytes of an item.
    func itemBytes(_ offset: Int) throws(RedoFault) -> UnsafeRawBufferPointer {
        let (start, length) = try item(offset)
        return UnsafeRawBufferPointer(start: bytes + start, count: length)
    }

    /// Puts an item behind the others.
    func append(_ item: UnsafeRawBufferPointer) throws(RedoFault) {
        try add(item, at: lineCount + 1, overwrites: false)
    }

    /// Empties the page but for its special space, and fills it again from what was there.
    func rebuild(_ fill: (_ old: RedoPage) throws(RedoFault) -> Void) throws(RedoFault) {
        var fault: RedoFault?
        withUnsafeTemporaryAllocation(byteCount: Page.size, alignment: 8) { copy in
            let old = RedoPage(copy.baseAddress!)
            old.bytes.copyMemory(from: bytes, byteCount: Page.size)
            initialize(specialSize: Page.size - old.special)
            (bytes + old.special).copyMemory(from: old.bytes + old.special, byteCount: Page.size - old.special)
            do throws(RedoFault) { try fill(old) } catch { fault = error }
        }
        if let fault { throw fault }
    }
}
