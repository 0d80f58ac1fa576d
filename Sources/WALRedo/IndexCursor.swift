import PostgresFormat

/// Reads numbers of a page index one after the other, up to an end: what does not fit is an error.
struct IndexCursor {
    private let base: UnsafeRawPointer
    private(set) var offset: Int
    private let end: Int

    /// - Precondition: The range lies within the bytes.
    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count && bytes.baseAddress != nil)
        base = bytes.baseAddress!
        offset = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { offset == end }

    static var damage: FormatError { .invalid("the page index is damaged") }

    @inline(__always)
    mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(FormatError) -> T {
        guard end - offset >= MemoryLayout<T>.size else { throw Self.damage }
        defer { offset += MemoryLayout<T>.size }
        return T(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// Seven bits a byte, the lowest first, the eighth set where more follow: five bytes at most.
    @inline(__always)
    mutating func varint() throws(FormatError) -> UInt64 {
        guard offset < end else { throw Self.damage }
        let first = base.load(fromByteOffset: offset, as: UInt8.self)
        offset += 1
        if first < 0x80 { return UInt64(first) }
        var value = UInt64(first & 0x7F)
        for shift in stride(from: UInt64(7), through: 28, by: 7) {
            guard offset < end else { throw Self.damage }
            let byte = base.load(fromByteOffset: offset, as: UInt8.self)
            offset += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw Self.damage
    }
}
