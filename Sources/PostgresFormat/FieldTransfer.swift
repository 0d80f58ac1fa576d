/// Moves fields between a struct and little-endian bytes, in one direction or the other, so that a format's offsets
/// are listed once. Whoever calls has checked that all of them lie within the bytes.
protocol FieldTransfer {
    associatedtype Failure: Error
    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: inout T, at offset: Int) throws(Failure)
    mutating func boolean(_ value: inout Bool, at offset: Int) throws(Failure)
    mutating func enumeration<T: RawRepresentable<UInt32>>(
        _ value: inout T, at offset: Int, _ name: StaticString
    ) throws(Failure)
    mutating func raw(_ value: inout [UInt8], at offset: Int) throws(Failure)
}

extension FieldTransfer {
    mutating func double(_ value: inout Double, at offset: Int) throws(Failure) {
        var bits = value.bitPattern
        try integer(&bits, at: offset)
        value = Double(bitPattern: bits)
    }

    /// A UInt32 that is an Int in memory, where it takes part in sums.
    mutating func size(_ value: inout Int, at offset: Int) throws(Failure) {
        var bits = UInt32(truncatingIfNeeded: value)
        try integer(&bits, at: offset)
        value = Int(bits)
    }
}

/// Bytes to fields. Throws for values that a field's type does not have.
struct FieldReader: FieldTransfer {
    let bytes: [UInt8]

    func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: inout T, at offset: Int) throws(FormatError) {
        value = bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    func boolean(_ value: inout Bool, at offset: Int) throws(FormatError) {
        guard bytes[offset] <= 1 else { throw .invalid("the byte at \(offset) is \(bytes[offset]), neither 0 nor 1") }
        value = bytes[offset] == 1
    }

    func enumeration<T: RawRepresentable<UInt32>>(
        _ value: inout T, at offset: Int, _ name: StaticString
    ) throws(FormatError) {
        var number: UInt32 = 0
        try integer(&number, at: offset)
        guard let known = T(rawValue: number) else { throw .invalid("unknown \(name) \(number)") }
        value = known
    }

    func raw(_ value: inout [UInt8], at offset: Int) throws(FormatError) {
        value = Array(bytes[offset..<offset + value.count])
    }
}

/// Fields to bytes. Leaves what lies between them as it was.
struct FieldWriter: FieldTransfer {
    private(set) var bytes: [UInt8]

    mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self) }
    }

    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: inout T, at offset: Int) throws(Never) {
        store(value, at: offset)
    }

    mutating func boolean(_ value: inout Bool, at offset: Int) throws(Never) { bytes[offset] = value ? 1 : 0 }

    mutating func enumeration<T: RawRepresentable<UInt32>>(
        _ value: inout T, at offset: Int, _ name: StaticString
    ) throws(Never) {
        store(value.rawValue, at: offset)
    }

    mutating func raw(_ value: inout [UInt8], at offset: Int) throws(Never) {
        bytes.replaceSubrange(offset..<offset + value.count, with: value)
    }
}
