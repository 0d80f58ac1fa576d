import PostgresFormat

/// Places of rows, ascending: the first one, and the distance of each other one from that before it, compressed. A leaf of
/// a posting tree has several of these segments.
///
/// Source: PostgreSQL's `src/include/access/ginblock.h`, `GinPostingList`, and `src/backend/access/gin/ginpostinglist.c`.
struct GINPostingList {
    static let tidBytes = 6
    /// The first row, and how many bytes follow; a byte of padding makes their number even.
    fileprivate static let headerBytes = 8
    fileprivate static let lengthOffset = 6

    /// With all of it.
    let bytes: UnsafeRawBufferPointer

    /// The next segment of several.
    static func read(_ data: inout RecordData) throws(RedoFault) -> GINPostingList {
        let length = Int(try data.load(lengthOffset, UInt16.self))
        return GINPostingList(bytes: try data.read(headerBytes + (length + 1) & ~1))
    }

    /// A row as a number: 32 bits of its block, and 11 of its place there.
    static func number(ofRow row: RecordData, at offset: Int) throws(RedoFault) -> UInt64 {
        let high = UInt64(try row.load(offset, UInt16.self))
        let low = UInt64(try row.load(offset + 2, UInt16.self))
        let place = UInt64(try row.load(offset + 4, UInt16.self))
        guard place < 1 << placeBits else { throw RedoFault("a row's place is \(place)") }
        return (high << 16 | low) << placeBits | place
    }

    fileprivate static let placeBits: UInt64 = 11
    fileprivate static let numberLimit: UInt64 = 1 << (32 + placeBits)

    /// Puts together a segment and further rows, each of them once.
    ///
    /// - Parameter added: Ascending, six bytes each.
    /// - Returns: How long the new segment is.
    func merge(_ added: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws(RedoFault) -> Int {
        var writer = try GINPostingListWriter(target)
        var rows = try GINPostingListReader(self)
        var row: UInt64? = rows.first
        let added = RecordData(added)
        for offset in stride(from: 0, to: added.count, by: Self.tidBytes) {
            let new = try Self.number(ofRow: added, at: offset)
            while let old = row, old <= new {
                if old < new { try writer.append(old) }
                row = try rows.next()
            }
            try writer.append(new)
        }
        while let old = row {
            try writer.append(old)
            row = try rows.next()
        }
        return writer.finish()
    }
}

/// The rows of a segment.
private struct GINPostingListReader {
    let first: UInt64
    private var last: UInt64
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ list: GINPostingList) throws(RedoFault) {
        let data = RecordData(list.bytes)
        let length = Int(try data.load(GINPostingList.lengthOffset, UInt16.self))
        first = try GINPostingList.number(ofRow: data, at: 0)
        last = first
        bytes = UnsafeRawBufferPointer(rebasing: list.bytes[GINPostingList.headerBytes...].prefix(length))
    }

    /// At most so many bytes a number: seven bits in each but the last one, which is whole.
    private static let numberBytes = 7

    /// The next one after the first; nil at the end.
    mutating func next() throws(RedoFault) -> UInt64? {
        guard offset < bytes.count else { return nil }
        var distance: UInt64 = 0
        for index in 0..<Self.numberBytes {
            guard offset < bytes.count else { throw RedoFault("a segment ends amid a row") }
            let byte = UInt64(bytes[offset])
            offset += 1
            let isLast = byte & 0x80 == 0 || index == Self.numberBytes - 1
            distance |= (isLast ? byte : byte & 0x7F) << UInt64(index * 7)
            if isLast { break }
        }
        last += distance
        guard last < GINPostingList.numberLimit else { throw RedoFault("a segment has rows behind the last block") }
        return last
    }
}

/// Makes a segment, row by row.
struct GINPostingListWriter {
    private let target: UnsafeMutableRawBufferPointer
    private var end = GINPostingList.headerBytes
    private var last: UInt64?

    /// - Parameter target: Where it begins, and may end.
    init(_ target: UnsafeMutableRawBufferPointer) throws(RedoFault) {
        // The padding has to fit as well.
        self.target = UnsafeMutableRawBufferPointer(rebasing: target[..<(target.count & ~1)])
        guard self.target.count >= end else { throw RedoFault("there is no room for a segment") }
    }

    mutating func append(_ row: UInt64) throws(RedoFault) {
        guard let last else {
            let block = row >> GINPostingList.placeBits
            store(UInt16(truncatingIfNeeded: block >> 16), 0)
            store(UInt16(truncatingIfNeeded: block), 2)
            store(UInt16(row & (1 << GINPostingList.placeBits - 1)), 4)
            self.last = row
            return
        }
        guard row >= last else { throw RedoFault("the rows of a segment are out of order") }
        var distance = row - last
        self.last = row
        repeat {
            guard end < target.count else { throw RedoFault("a segment does not fit") }
            target[end] = UInt8(distance & 0x7F) | (distance > 0x7F ? 0x80 : 0)
            end += 1
            distance >>= 7
        } while distance > 0
    }

    /// - Returns: How long it is.
    func finish() -> Int {
        store(UInt16(end - GINPostingList.headerBytes), GINPostingList.lengthOffset)
        guard end % 2 == 1 else { return end }
        target[end] = 0
        return end + 1
    }

    private func store(_ value: UInt16, _ offset: Int) {
        target.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt16.self)
    }
}
