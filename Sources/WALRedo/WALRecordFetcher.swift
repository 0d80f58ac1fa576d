import CChecksum
public import PostgresFormat

/// Gives single records out of the bytes of consecutive segments, in any order.
public struct WALRecordFetcher: ~Copyable {
    private let first: WALSegment
    private let segments: [UnsafeRawBufferPointer]
    private var decoder: WALRecordDecoder
    private var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    /// - Parameters:
    ///   - first: The first segment.
    ///   - segments: Its bytes, and those of the ones that follow it; the last one may end early. They have to stay.
    ///   - major: PostgreSQL's version, 14 to 18.
    public init(first: WALSegment, _ segments: [UnsafeRawBufferPointer], major: Int) {
        self.first = first
        self.segments = segments
        decoder = WALRecordDecoder(major: major)
    }

    deinit { buffer.deallocate() }

    /// The record that begins there: valid until the next one is asked for.
    ///
    /// - Throws: `FormatError`: it is not there, or damaged.
    public mutating func record(at start: LSN) throws(FormatError) -> WALRecord {
        let (bytes, end) = try gather(start)
        guard let base = bytes.baseAddress else { throw Self.missing(start) }
        let computed = WALRecordHeader.checksum(bytes)
        let stored = UInt32(
            littleEndian: base.loadUnaligned(fromByteOffset: WALRecordHeader.crcOffset, as: UInt32.self))
        guard stored == computed else {
            throw .badCRC(what: "the WAL record at \(start)", stored: stored, computed: computed)
        }
        return try decoder.decode(bytes, start: start, end: LSN(rawValue: (end.rawValue + 7) & ~7))
    }

    /// Tells that the record that begins there is soon asked for: records lie far apart, and memory takes its time.
    @inline(__always)
    func prepare(_ start: LSN) {
        guard let bytes = try? bytes(at: start) else { return }
        cchecksum_prefetch(bytes.baseAddress)
    }

    private static func missing(_ lsn: LSN) -> FormatError { .invalid("the WAL at \(lsn) is not there") }

    /// What lies there up to the end of the page; at least one byte.
    @inline(__always)
    private func bytes(at lsn: LSN) throws(FormatError) -> UnsafeRawBufferPointer {
        guard lsn >= first.startLSN else { throw Self.missing(lsn) }
        let distance = lsn.rawValue - first.startLSN.rawValue
        let (index, offset) = (Int(distance / UInt64(first.size)), Int(distance % UInt64(first.size)))
        guard index < segments.count, offset < segments[index].count else { throw Self.missing(lsn) }
        let pageEnd = min(offset / Page.size * Page.size + Page.size, segments[index].count)
        return UnsafeRawBufferPointer(rebasing: segments[index][offset..<pageEnd])
    }

    /// - Returns: The record without the page headers within it, and where it ends.
    @inline(__always)
    private mutating func gather(_ start: LSN) throws(FormatError) -> (UnsafeRawBufferPointer, LSN) {
        let piece = try bytes(at: start)
        guard start.rawValue % 8 == 0, start.rawValue % UInt64(Page.size) >= UInt64(WALPageHeader.shortSize),
            piece.count >= 4
        else { throw .invalid("no WAL record begins at \(start)") }
        let length = Int(UInt32(littleEndian: piece.loadUnaligned(as: UInt32.self)))
        guard length >= WALRecordHeader.size, length <= 1 << 30 else {
            throw .invalid("the WAL record at \(start) has \(length) bytes")
        }
        if length <= piece.count {
            return (UnsafeRawBufferPointer(rebasing: piece[..<length]), LSN(rawValue: start.rawValue + UInt64(length)))
        }
        return try gather(start, length, piece)
    }

    private mutating func gather(
        _ start: LSN, _ length: Int, _ piece: UnsafeRawBufferPointer
    ) throws(FormatError) -> (UnsafeRawBufferPointer, LSN) {
        var (count, position) = (0, start)
        try append(piece, at: &count, of: length)
        position.rawValue += UInt64(piece.count)
        while count < length {
            guard position.rawValue % UInt64(Page.size) == 0 else { throw Self.missing(position) }
            let page = try bytes(at: position)
            let isFirst = position.rawValue % UInt64(first.size) == 0
            let headerSize = isFirst ? WALPageHeader.longSize : WALPageHeader.shortSize
            guard page.count > headerSize else { throw Self.missing(position) }
            let flags = UInt16(littleEndian: page.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
            let address = UInt64(littleEndian: page.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            let continued = UInt32(littleEndian: page.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
            guard address == position.rawValue, flags & 1 != 0, Int(continued) == length - count else {
                throw .invalid("the WAL record at \(start) does not go on at \(position)")
            }
            let rest = page[headerSize...].prefix(length - count)
            try append(UnsafeRawBufferPointer(rebasing: rest), at: &count, of: length)
            position.rawValue += UInt64(headerSize + rest.count)
        }
        return (UnsafeRawBufferPointer(rebasing: buffer[..<length]), position)
    }

    private static let firstCapacity = 64 << 10

    /// The buffer grows with what is there, whatever length a record says it has.
    private mutating func append(
        _ piece: UnsafeRawBufferPointer, at count: inout Int, of length: Int
    ) throws(FormatError) {
        if count + piece.count > buffer.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(Self.firstCapacity, (count + piece.count) * 2), alignment: 8)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            buffer.deallocate()
            buffer = larger
        }
        UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: piece)
        count += piece.count
    }
}
