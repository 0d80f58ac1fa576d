import Glibc
import PostgresFormat

/// A leaf's tuple of a B-tree, which stands for one row or, with a list of their places, for several that have its key.
///
/// Source: PostgreSQL's `src/backend/access/nbtree/nbtdedup.c`.
struct PostingTuple {
    static let tidBytes = 6
    private static let hasAlternativeTid: UInt16 = 0x2000
    private static let isPosting: UInt16 = 0x2000
    private static let countMask: UInt16 = 0x0FFF
    private static let offsetField = 4

    /// The tuple without its list.
    let key: UnsafeRawBufferPointer
    /// The places of its rows.
    let tids: UnsafeRawBufferPointer
    let isList: Bool

    init(_ page: RedoPage, _ offset: Int) throws(RedoFault) {
        let bytes = try IndexTuple(page, offset).bytes
        let tuple = RecordData(bytes)
        let info = try tuple.load(IndexTuple.infoOffset, UInt16.self)
        let field = try tuple.load(Self.offsetField, UInt16.self)
        guard info & Self.hasAlternativeTid != 0 else {
            (key, tids, isList) = (bytes, UnsafeRawBufferPointer(rebasing: bytes[..<Self.tidBytes]), false)
            return
        }
        let start = Int(try tuple.load(0, UInt16.self)) << 16 | Int(try tuple.load(2, UInt16.self))
        let end = start + Int(field & Self.countMask) * Self.tidBytes
        guard field & Self.isPosting != 0, start >= IndexTuple.headerBytes, start < end, end <= bytes.count else {
            throw RedoFault("item \(offset) has no list of rows within it")
        }
        key = UnsafeRawBufferPointer(rebasing: bytes[..<start])
        tids = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        isList = true
    }

    var count: Int { tids.count / Self.tidBytes }

    /// `_bt_form_posting`: a tuple with this key for these rows.
    static func form(key: UnsafeRawBufferPointer, tids: [UInt8]) throws(RedoFault) -> [UInt8] {
        guard !tids.isEmpty else { throw RedoFault("a tuple for no row") }
        let count = tids.count / tidBytes
        let size = aligned(key.count + (count > 1 ? tids.count : 0))
        guard size <= IndexTuple.maxSize else { throw RedoFault("a tuple of \(size) bytes") }
        var tuple = [UInt8](repeating: 0, count: size)
        tuple.withUnsafeMutableBytes { bytes in
            func store(_ value: Int, _ offset: Int) {
                bytes.storeBytes(of: UInt16(value).littleEndian, toByteOffset: offset, as: UInt16.self)
            }
            bytes.copyMemory(from: key)
            let info = UInt16(littleEndian: bytes.load(fromByteOffset: IndexTuple.infoOffset, as: UInt16.self))
            let kept = info & ~(IndexTuple.sizeMask | hasAlternativeTid)
            if count > 1 {
                store(Int(kept | hasAlternativeTid) | size, IndexTuple.infoOffset)
                store(0, 0)
                store(key.count, 2)
                store(count | Int(isPosting), offsetField)
                UnsafeMutableRawBufferPointer(rebasing: bytes[key.count...]).copyBytes(from: tids)
            } else {
                store(Int(kept) | size, IndexTuple.infoOffset)
                bytes.copyBytes(from: tids)
            }
        }
        return tuple
    }

    /// `_bt_swap_posting`: puts the row of a new tuple into the list of the one before it, and that list's last row into the
    /// new tuple.
    ///
    /// - Parameters:
    ///   - index: Its place in the list.
    ///   - offset: Of the tuple with the list.
    static func swap(_ new: inout [UInt8], _ index: Int, in page: RedoPage, _ offset: Int) throws(RedoFault) {
        let tuple = try PostingTuple(page, offset)
        guard tuple.isList, index > 0, index < tuple.count, new.count >= IndexTuple.headerBytes else {
            throw RedoFault("there is no row \(index) in the list of item \(offset)")
        }
        let list = UnsafeMutableRawPointer(mutating: tuple.tids.baseAddress!)
        let last = [UInt8](tuple.tids.suffix(tidBytes))
        let place = list + index * tidBytes
        memmove(place + tidBytes, place, (tuple.count - index - 1) * tidBytes)
        new.withUnsafeBytes { place.copyMemory(from: $0.baseAddress!, byteCount: tidBytes) }
        new.replaceSubrange(..<tidBytes, with: last)
    }
}
