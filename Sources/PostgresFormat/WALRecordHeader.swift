import CChecksum

/// What every WAL record begins with.
///
/// Source: PostgreSQL's `src/include/access/xlogrecord.h`, `XLogRecord`.
public enum WALRecordHeader {
    public static let size = 24
    /// Of the CRC-32C, which comes last in the header.
    public static let crcOffset = 20

    /// A record's CRC-32C: the data first, then the header up to where it lies, the order in which PostgreSQL makes a record.
    ///
    /// - Parameter record: All of it, without page headers; at least `size` bytes.
    public static func checksum(_ record: UnsafeRawBufferPointer) -> UInt32 {
        let base = record.baseAddress!
        return cchecksum_crc32c(cchecksum_crc32c(0, base + size, record.count - size), base, crcOffset)
    }
}
