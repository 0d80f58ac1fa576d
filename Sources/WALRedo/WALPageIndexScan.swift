public import PostgresFormat

/// Makes the page index of a WAL segment while its bytes go by, and of one segment after the other: memory is used again.
public struct WALPageIndexScan: ~Copyable {
    private var builder: WALPageIndexBuilder
    private var reader: WALRecordReader
    /// Where the last record begins, when what was to follow of it did not.
    private var cutRecord: LSN?

    /// - Parameters:
    ///   - segment: The first one.
    ///   - major: PostgreSQL's version, 14 to 18.
    public init(_ segment: WALSegment, major: Int) {
        builder = WALPageIndexBuilder(segment, major: major)
        reader = Self.reader(segment, major)
    }

    /// Begins with another segment; what was not finished is forgotten.
    public mutating func begin(_ segment: WALSegment) {
        builder.begin(segment)
        reader = Self.reader(segment, builder.major)
        cutRecord = nil
    }

    private static func reader(_ segment: WALSegment, _ major: Int) -> WALRecordReader {
        WALRecordReader(startingAt: segment.startLSN, segmentSize: segment.size, major: major)
    }

    public var segment: WALSegment { builder.segment }

    /// Whether all of the segment's own bytes have been taken.
    public var isWhole: Bool { reader.position >= segment.endLSN }

    /// Whether every record that begins in the segment has been taken. The last one may end in a segment behind it.
    public var isComplete: Bool {
        guard cutRecord == nil, isWhole else { return false }
        return reader.unfinishedRecord.map { $0 >= segment.endLSN } ?? true
    }

    /// Whether bytes that follow would add to it: those of the segment, or the rest of its last record.
    public var needsMore: Bool { cutRecord == nil && !isComplete }

    /// Takes the segment's bytes in pieces of any length, and then those behind it, for as long as it is not complete.
    ///
    /// - Throws: `FormatError` where the segment is damaged or ends, `RedoFault` as `WALPageIndexBuilder.add`. What is
    ///   wrong behind the segment is no fault: the last record is not there then.
    public mutating func take(_ bytes: UnsafeRawBufferPointer) throws {
        let own = reader.position < segment.endLSN ? Int(segment.endLSN.rawValue - reader.position.rawValue) : 0
        var rest = UnsafeRawBufferPointer(rebasing: bytes.prefix(own))
        while let record = try reader.next(&rest) { try builder.add(record) }
        var ahead = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(own))
        while !ahead.isEmpty, needsMore {
            // A page at a time: what is behind the record's end does not count.
            var page = UnsafeRawBufferPointer(rebasing: ahead.prefix(Page.size))
            ahead = UnsafeRawBufferPointer(rebasing: ahead.dropFirst(page.count))
            let start = reader.unfinishedRecord
            let found: WALRecord?
            do { found = try reader.next(&page) } catch {
                // Without an end the record is none yet.
                cutRecord = start
                return
            }
            if let record = found, record.startLSN < segment.endLSN { try builder.add(record) }
        }
    }

    /// - Returns: The index of what was taken, which says how far it goes. `begin` goes on with another segment.
    public mutating func finish() -> WALPageIndex {
        let last = cutRecord ?? reader.unfinishedRecord ?? reader.lastRecordEnd ?? reader.position
        return builder.finish(end: isComplete ? segment.endLSN : min(last, segment.endLSN))
    }
}

extension WALPageIndex {
    /// Makes the index of a segment from its bytes.
    ///
    /// - Parameters:
    ///   - content: The segment, or what there is of it: no more than WAL, up to the end of a record or a page.
    ///   - following: What comes behind it, as far as the last record of the segment goes. Without, that record may be
    ///     missing, and `end` is where it begins.
    ///   - scan: Used again for every segment.
    /// - Throws: `FormatError` where the segment is damaged, `RedoFault` as `WALPageIndexBuilder.add`.
    public static func build(
        _ segment: WALSegment, _ content: UnsafeRawBufferPointer, following: UnsafeRawBufferPointer,
        with scan: inout WALPageIndexScan
    ) throws -> WALPageIndex {
        scan.begin(segment)
        try scan.take(UnsafeRawBufferPointer(rebasing: content.prefix(segment.size)))
        if content.count >= segment.size { try scan.take(following) }
        return scan.finish()
    }
}
