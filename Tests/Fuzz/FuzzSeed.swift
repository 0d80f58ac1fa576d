import PostgresFormat

/// What `FuzzInput` takes apart, put together.
struct FuzzSeed {
    private(set) var bytes: [UInt8] = []

    /// - Parameter major: 14 to 18.
    init(major: Int) { bytes.append(UInt8(major - 14)) }
    init() {}

    mutating func append<T: FixedWidthInteger>(_ number: T) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    mutating func append(_ content: some Sequence<UInt8>) { bytes += content }
}
