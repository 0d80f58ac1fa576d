import PostgresFormat

/// A part of a record, read where it lies: every read is checked against its end.
struct RecordData {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    var count: Int { rest.count }

    /// The integer at an offset from here.
    @inline(__always)
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) throws(RedoFault) -> T {
        guard offset >= 0, offset + MemoryLayout<T>.size <= rest.count else {
            throw RedoFault("its data ends early: \(rest.count) bytes, and \(offset + MemoryLayout<T>.size) are needed")
        }
        return T(littleEndian: rest.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// The next integer.
    @inline(__always)
    mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(RedoFault) -> T {
        let value = try load(0, T.self)
        rest = UnsafeRawBufferPointer(rebasing: rest[MemoryLayout<T>.size...])
        return value
    }

    /// The next bytes.
    mutating func read(_ count: Int) throws(RedoFault) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= rest.count else {
            throw RedoFault("its data ends early: \(rest.count) bytes, and \(count) are needed")
        }
        defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
        return UnsafeRawBufferPointer(rebasing: rest[..<count])
    }

    /// The next integers of 16 bits.
    mutating func readArray(_ count: Int) throws(RedoFault) -> Int16Array { Int16Array(bytes: try read(count * 2)) }
}

/// Offsets and the like, as they lie in a record.
struct Int16Array {
    let bytes: UnsafeRawBufferPointer
    var count: Int { bytes.count / 2 }
    subscript(index: Int) -> UInt16 {
        UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
    }
    /// As offsets of items.
    var offsets: [Int] { (0..<count).map { Int(self[$0]) } }
}
