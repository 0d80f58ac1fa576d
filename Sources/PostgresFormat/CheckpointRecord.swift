/// The WAL record of a checkpoint, looked up to prove that it is there and whole.
///
/// Source: PostgreSQL's `src/include/access/xlogrecord.h`.
public enum CheckpointRecord {
    /// The header, a short data header, and the checkpoint.
    static let size = WALRecordHeader.size + 2 + CheckpointCopy.size
    /// Resource manager XLOG and its two kinds of checkpoint.
    static let xlogManager: UInt8 = 0
    static let shutdownInfo: UInt8 = 0x00
    private static let onlineInfo: UInt8 = 0x10

    /// Checks the checkpoint record at `lsn`: headers of the pages that it lies on, length, CRC-32C and kind.
    ///
    /// - Parameters:
    ///   - segmentSize: The cluster's `wal_segment_size`, which must be valid.
    ///   - readPage: Gives the `Page.size` bytes of WAL at a position that is a multiple of that. The record may lie
    ///     on two pages, and these in two segments.
    /// - Returns: Where the record ends (aligned to 8 bytes, where WAL goes on), and whether the checkpoint is that of
    ///   a shutdown.
    /// - Throws: `FormatError`, and what `readPage` throws.
    public static func end(
        at lsn: LSN, segmentSize: Int, major: Int, readPage: (LSN) throws -> [UInt8]
    ) throws -> (endLSN: LSN, isShutdown: Bool) {
        guard WALSegment.isValidSize(segmentSize) else {
            throw FormatError.invalid("a WAL segment of \(segmentSize) bytes")
        }
        // Far from the end of what can be counted, so that sums below cannot overflow.
        guard lsn.rawValue % 8 == 0, lsn.rawValue < UInt64(Int64.max) else {
            throw FormatError.invalid("no WAL record begins at \(lsn)")
        }
        let pageSize = UInt64(Page.size)
        var position = lsn.rawValue
        var record: [UInt8] = []
        var length = size
        var timeline: TimelineID?
        while record.count < length {
            let address = LSN(rawValue: position / pageSize * pageSize)
            let page = try readPage(address)
            let header = try WALPageHeader(parsing: page, at: address, segmentSize: segmentSize, major: major)
            if record.isEmpty {
                guard position - address.rawValue >= UInt64(header.size) else {
                    throw FormatError.invalid("no WAL record begins at \(lsn), which is in a page's header")
                }
                timeline = header.timeline
            } else {
                guard header.continuesRecord, header.remainingBytes == length - record.count,
                    header.timeline == timeline
                else { throw FormatError.invalid("the WAL record at \(lsn) does not go on at \(address)") }
                position = address.rawValue + UInt64(header.size)
            }
            let offset = Int(position - address.rawValue)
            if record.isEmpty { length = try recordLength(page, at: offset, lsn) }
            let part = min(length - record.count, Page.size - offset)
            record += page[offset..<offset + part]
            position += UInt64(part)
        }
        let isShutdown = try check(record, lsn)
        return (LSN(rawValue: (position + 7) & ~7), isShutdown)
    }

    /// A record's length comes first and, records being aligned, never crosses a page's end.
    private static func recordLength(_ page: [UInt8], at offset: Int, _ lsn: LSN) throws(FormatError) -> Int {
        var length: UInt32 = 0
        try FieldReader(bytes: page).integer(&length, at: offset)
        guard length == size else {
            throw .invalid(
                length == 0
                    ? "no WAL record begins at \(lsn): there are zeros"
                    : "the WAL record at \(lsn) has \(length) bytes; a checkpoint's has \(size)")
        }
        return Int(length)
    }

    private static func check(_ record: [UInt8], _ lsn: LSN) throws(FormatError) -> Bool {
        var stored: UInt32 = 0
        try FieldReader(bytes: record).integer(&stored, at: WALRecordHeader.crcOffset)
        let computed = record.withUnsafeBytes(WALRecordHeader.checksum)
        guard computed == stored else {
            throw .badCRC(what: "WAL record at \(lsn)", stored: stored, computed: computed)
        }
        let (info, manager) = (record[16] & 0xF0, record[17])
        guard manager == xlogManager, info == shutdownInfo || info == onlineInfo else {
            throw .invalid(
                "the WAL record at \(lsn) is not of a checkpoint (resource manager \(manager), kind \(info))")
        }
        return info == shutdownInfo
    }
}
