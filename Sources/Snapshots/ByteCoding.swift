/// What is wrong with the bytes of a manifest or a pack. Never a trap: the bytes come from a network.
public struct SnapshotFormatError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Appends integers and strings in the forms that manifests use.
struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func fixed<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// LEB128: seven bits a byte, the lowest first; the high bit says that more follow.
    mutating func varint(_ value: Int) {
        precondition(value >= 0)
        varint(UInt64(value))
    }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// A signed difference, small in both directions: 0, -1, 1, -2, … become 0, 1, 2, 3, ….
    mutating func zigzag(_ value: Int) {
        varint(UInt64(bitPattern: Int64((value << 1) ^ (value >> 63))))
    }

    mutating func string(_ text: String) {
        varint(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    /// A section: its kind, its length, its content.
    mutating func section(_ kind: UInt8, _ content: (inout ByteWriter) -> Void) {
        var inner = ByteWriter()
        content(&inner)
        bytes.append(kind)
        varint(inner.bytes.count)
        bytes.append(contentsOf: inner.bytes)
    }
}

/// A cursor over the bytes of a manifest. Every count is checked against what is left before it is used.
struct ByteReader: ~Escapable {
    private let bytes: RawSpan
    private var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    var remaining: Int { bytes.byteCount - offset }
    var isAtEnd: Bool { remaining == 0 }

    mutating func fixed<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(SnapshotFormatError) -> T {
        let size = MemoryLayout<T>.size
        guard size <= remaining else { throw SnapshotFormatError("cut short at byte \(offset)") }
        defer { offset += size }
        return T(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    mutating func varint() throws(SnapshotFormatError) -> Int {
        let value = try unsignedVarint()
        guard let small = Int(exactly: value) else { throw SnapshotFormatError("number too large at byte \(offset)") }
        return small
    }

    mutating func unsignedVarint() throws(SnapshotFormatError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try fixed(UInt8.self)
            let bits = UInt64(byte & 0x7F)
            guard shift < 63 || (shift == 63 && bits <= 1) else {
                throw SnapshotFormatError("number too long at byte \(offset)")
            }
            value |= bits << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    mutating func varint<T: FixedWidthInteger>(_: T.Type) throws(SnapshotFormatError) -> T {
        guard let value = T(exactly: try unsignedVarint()) else {
            throw SnapshotFormatError("number too large at byte \(offset)")
        }
        return value
    }

    mutating func zigzag() throws(SnapshotFormatError) -> Int {
        let value = try unsignedVarint()
        return Int(Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1))
    }

    /// How many entries follow, each of which takes at least `entryBytes`.
    mutating func count(entryBytes: Int) throws(SnapshotFormatError) -> Int {
        let count = try varint()
        guard count <= remaining / entryBytes else {
            throw SnapshotFormatError("\(count) entries announced at byte \(offset), more than the bytes left can hold")
        }
        return count
    }

    mutating func raw(_ count: Int) throws(SnapshotFormatError) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw SnapshotFormatError("cut short at byte \(offset)") }
        defer { offset += count }
        return bytes.withUnsafeBytes { Array($0[offset..<offset + count]) }
    }

    mutating func string() throws(SnapshotFormatError) -> String {
        let content = try raw(try varint())
        guard let text = String(validating: content, as: UTF8.self) else {
            throw SnapshotFormatError("text that is not UTF-8 before byte \(offset)")
        }
        return text
    }

    /// The next `count` bytes as a reader of their own.
    @_lifetime(copy self)
    mutating func sub(_ count: Int) throws(SnapshotFormatError) -> ByteReader {
        guard count >= 0, count <= remaining else { throw SnapshotFormatError("cut short at byte \(offset)") }
        defer { offset += count }
        return ByteReader(bytes.extracting(offset..<offset + count))
    }
}
