import Glibc
import PostgresFormat

/// What a fuzzer gives, taken from the front.
struct FuzzInput {
    private(set) var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    /// Zeros where nothing is left.
    mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    mutating func number() -> UInt16 { UInt16(byte()) | UInt16(byte()) << 8 }
    mutating func longNumber() -> UInt32 { UInt32(number()) | UInt32(number()) << 16 }

    /// As many as there are, at most.
    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
        return UnsafeRawBufferPointer(rebasing: rest.prefix(count))
    }

    mutating func major() -> Int { 14 + Int(byte() % 5) }

    /// The rest as a record, in memory of its own: behind it there is nothing.
    ///
    /// - Parameter manager: Nil: whose it is.
    mutating func withRecord(_ manager: ResourceManager?, major: Int, _ body: (WALRecord) -> Void) {
        let headerSize = 24
        guard rest.count >= headerSize else { return }
        let record = UnsafeMutableRawBufferPointer.allocate(byteCount: rest.count, alignment: 8)
        defer { record.deallocate() }
        record.copyMemory(from: rest)
        record.storeBytes(of: UInt32(record.count).littleEndian, as: UInt32.self)  // xl_tot_len
        if let manager { record.storeBytes(of: manager.rawValue, toByteOffset: 17, as: UInt8.self) }  // xl_rmid
        var decoder = WALRecordDecoder(major: major)
        let start = LSN(rawValue: 0x7FFF_FFFF_0000_0000)  // newer than any page
        let end = LSN(rawValue: start.rawValue + UInt64(record.count))
        if let decoded = try? decoder.decode(UnsafeRawBufferPointer(record), start: start, end: end) { body(decoded) }
    }
}
