import CChecksum

/// `pg_filenode.map`: where the few catalogs are whose place no catalog can tell.
///
/// Source: PostgreSQL's `src/backend/utils/cache/relmapper.c`, `RelMapFile`.
public struct RelationMap: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        /// The catalog's OID in `pg_class`.
        public let oid: UInt32
        /// Its relfilenode.
        public let relation: UInt32
    }

    public let entries: [Entry]

    private static let magic: UInt32 = 0x592717
    /// Bytes of the file to the number of entries it has room for: since PostgreSQL 16, and before.
    private static let capacities = [524: 64, 512: 62]

    public init(parsing bytes: [UInt8]) throws(FormatError) {
        guard let capacity = Self.capacities[bytes.count] else {
            throw .invalid("a relation map has 512 or 524 bytes, not \(bytes.count)")
        }
        let words = bytes.withUnsafeBytes { raw in
            stride(from: 0, to: raw.count, by: 4).map {
                UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: UInt32.self))
            }
        }
        guard words[0] == Self.magic else {
            throw .invalid("this is not a relation map: it begins with \(hexadecimal(words[0], digits: 8))")
        }
        let crcOffset = 8 + 8 * capacity
        let computed = cchecksum_crc32c(0, bytes, crcOffset)
        guard computed == words[crcOffset / 4] else {
            throw .badCRC(what: "relation map", stored: words[crcOffset / 4], computed: computed)
        }
        guard words[1] <= capacity else {
            throw .invalid("a relation map of \(bytes.count) bytes cannot have \(words[1]) entries")
        }
        entries = (0..<Int(words[1])).map { Entry(oid: words[2 + 2 * $0], relation: words[3 + 2 * $0]) }
    }

    public init(parsing bytes: UnsafeRawBufferPointer) throws(FormatError) { try self.init(parsing: Array(bytes)) }

    /// The relfilenode of a mapped catalog.
    public func relation(of oid: UInt32) -> UInt32? { entries.first { $0.oid == oid }?.relation }
}
