import PostgresFormat

/// That a record's bytes end before what they should hold.
struct RecordCutShort: Error {}

/// A cursor over a record's little-endian bytes, which anybody may have written.
struct RecordBytes {
    private let bytes: UnsafeRawBufferPointer
    /// From the beginning of the bytes: what alignment counts from.
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count - offset }

    mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(RecordCutShort) -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw RecordCutShort() }
        defer { offset += size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    mutating func u8() throws(RecordCutShort) -> UInt8 { try read(UInt8.self) }
    mutating func u16() throws(RecordCutShort) -> UInt16 { try read(UInt16.self) }
    mutating func u32() throws(RecordCutShort) -> UInt32 { try read(UInt32.self) }
    mutating func u64() throws(RecordCutShort) -> UInt64 { try read(UInt64.self) }
    mutating func i32() throws(RecordCutShort) -> Int32 { try read(Int32.self) }
    mutating func i64() throws(RecordCutShort) -> Int64 { try read(Int64.self) }

    mutating func skip(_ count: Int) throws(RecordCutShort) {
        guard count >= 0, count <= remaining else { throw RecordCutShort() }
        offset += count
    }

    /// Goes on to the next multiple of `unit`, as C lays out its structs.
    mutating func align(_ unit: Int) throws(RecordCutShort) { try skip((unit - offset % unit) % unit) }

    /// The next bytes, apart.
    mutating func take(_ count: Int) throws(RecordCutShort) -> UnsafeRawBufferPointer {
        let start = offset
        try skip(count)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
    }

    /// A tablespace, a database and a file's number.
    mutating func relation() throws(RecordCutShort) -> RelationLocator {
        let (tablespace, database) = (try u32(), try u32())
        return RelationLocator(tablespace: tablespace, database: database, relation: try u32())
    }

    /// A position as PostgreSQL's structs hold it.
    mutating func lsn() throws(RecordCutShort) -> LSN { LSN(rawValue: try u64()) }

    /// A block number as index tuples hold it: the upper half first.
    mutating func splitBlock() throws(RecordCutShort) -> UInt32 { UInt32(try u16()) << 16 | UInt32(try u16()) }

    /// Text up to a zero byte, or to the end.
    mutating func text(limit: Int = .max) -> String {
        let rest = bytes[offset...].prefix(limit)
        let text = rest.prefix { $0 != 0 }
        offset += min(rest.count, text.count + 1)
        return printable(text)
    }
}

/// Text without control characters, which could forge lines of output.
func printable(_ bytes: some Sequence<UInt8>) -> String {
    let text = String(decoding: Array(bytes), as: UTF8.self)
    return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
}
