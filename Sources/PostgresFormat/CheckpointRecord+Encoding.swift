extension CheckpointRecord {
    /// The first page of a WAL segment that holds nothing but the record of a shutdown's checkpoint, as `pg_resetwal`
    /// leaves it: a server whose control file leads there starts without recovery. The rest of the segment is zeros.
    ///
    /// Source: PostgreSQL's `src/bin/pg_resetwal/pg_resetwal.c`, `WriteEmptyXLOG`.
    ///
    /// - Parameters:
    ///   - checkpoint: Its redo position has to be behind the header of the segment's first page.
    ///   - segmentSize: The cluster's `wal_segment_size`.
    /// - Returns: `Page.size` bytes.
    /// - Throws: `FormatError` where the redo position is another, or the version is not known.
    public static func firstPage(
        with checkpoint: CheckpointCopy, systemIdentifier: UInt64, segmentSize: Int, major: Int
    ) throws(FormatError) -> [UInt8] {
        guard let magic = WALPageHeader.magics[major] else {
            throw .unsupportedVersion("PostgreSQL \(major) is not supported")
        }
        guard WALSegment.isValidSize(segmentSize),
            checkpoint.redo.rawValue % UInt64(segmentSize) == UInt64(WALPageHeader.longSize)
        else {
            throw .invalid("\(checkpoint.redo) is not where a segment's first record begins")
        }
        var page = FieldWriter(bytes: [UInt8](repeating: 0, count: Page.size))
        page.store(magic, at: 0)
        page.store(WALPageHeader.longHeader, at: 2)
        page.store(checkpoint.thisTimeLineID, at: 4)
        page.store(checkpoint.redo.rawValue - UInt64(WALPageHeader.longSize), at: 8)
        page.store(systemIdentifier, at: 24)
        page.store(UInt32(segmentSize), at: 32)
        page.store(UInt32(Page.size), at: 36)
        return page.bytes.prefix(WALPageHeader.longSize) + record(checkpoint, major: major)
            + [UInt8](repeating: 0, count: Page.size - WALPageHeader.longSize - size)
    }

    /// Whatever wrote the record before it is not told.
    private static func record(_ checkpoint: CheckpointCopy, major: Int) -> [UInt8] {
        var record = FieldWriter(bytes: [UInt8](repeating: 0, count: size))
        record.store(UInt32(size), at: 0)
        record.store(shutdownInfo, at: 16)
        record.store(xlogManager, at: 17)
        record.store(WALRecordDecoder.ID.shortData, at: WALRecordHeader.size)
        record.store(UInt8(CheckpointCopy.size), at: WALRecordHeader.size + 1)
        var checkpoint = checkpoint
        checkpoint.transfer(&record, at: WALRecordHeader.size + 2, hasWALLevel: major >= 17)
        record.store(record.bytes.withUnsafeBytes(WALRecordHeader.checksum), at: WALRecordHeader.crcOffset)
        return record.bytes
    }
}
