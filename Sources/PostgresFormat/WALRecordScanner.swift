import CChecksum

/// Follows the records of WAL as its bytes go by, in pieces of any length, and says where the last whole one ends.
///
/// It holds no more of the WAL than a header: memory does not depend on a record's length.
///
/// Source: PostgreSQL's `src/include/access/xlogrecord.h`, `xlog_internal.h`, and `xlogreader.c` for what is checked.
public struct WALRecordScanner: Sendable {
    /// What the bytes at `position` belong to, page headers aside.
    enum Place {
        /// The first 24 bytes of a record, of which some may be gathered already.
        case recordHeader
        /// The rest of a record whose header is known.
        case recordData
        /// The rest of a record that began before the scan.
        case unknownRecord
        /// Up to the next multiple of 8.
        case padding
        /// What follows a switch to the next segment: no pages, zeros.
        case unusedSegment
    }

    /// Whether CRCs are compared; without, only lengths and links are.
    public let checksCRC: Bool
    public let segmentSize: Int
    /// Behind the last byte that was taken.
    public private(set) var position: LSN
    /// Behind the last whole record, where the next one begins or the header of a page before it; nil until one was seen.
    public internal(set) var lastRecordEnd: LSN?
    /// Of the cluster that wrote it: from the last segment's first page.
    public internal(set) var systemIdentifier: UInt64?
    /// From the last page's header; 0 before there was one.
    public internal(set) var timeline: TimelineID = 0
    /// Whether the last record was a switch to the next segment, which has not begun.
    public var isUnused: Bool { place == .unusedSegment }

    /// The last page whose header is right.
    var lastPage: LSN?

    var place = Place.recordHeader
    var pageHeader = GatheredBytes(capacity: Self.longPageHeaderSize)
    var recordHeader = GatheredBytes(capacity: Self.recordHeaderSize)
    /// Bytes still to come of the record in progress.
    var remaining = 0
    var recordStart = LSN.invalid
    var previousStart: LSN?
    var storedCRC: UInt32 = 0
    var crc: UInt32 = 0
    var isSwitch = false

    static let recordHeaderSize = 24
    static let shortPageHeaderSize = 24
    static let longPageHeaderSize = 40
    private static let pageSize = UInt64(Page.size)

    /// - Parameters:
    ///   - start: The beginning of a page, or of a record.
    ///   - segmentSize: A valid size.
    ///   - isUnused: The rest of the segment is unused: the record before was a switch to the next one.
    public init(startingAt start: LSN, segmentSize: Int, isUnused: Bool = false, checksCRC: Bool) {
        precondition(WALSegment.isValidSize(segmentSize), "not a WAL segment size")
        self.segmentSize = segmentSize
        if isUnused { place = .unusedSegment }
        self.checksCRC = checksCRC
        position = start
    }

    /// Takes the bytes that follow.
    ///
    /// - Throws: What is wrong with them. `lastRecordEnd` stands then: it is where WAL ends, or is damaged. The scanner
    ///   is of no further use.
    public mutating func scan(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var rest = bytes
        var nobody = NoRecordSink()
        while try scanRecord(&rest, into: &nobody) != nil {}
    }

    /// Takes bytes up to the end of a record, whose padding may be yet to come.
    ///
    /// - Parameters:
    ///   - rest: The bytes that follow; what was taken is gone from it.
    ///   - sink: Gets the record's bytes.
    /// - Returns: Where the record begins, and where WAL goes on after it; nil when all bytes were taken.
    @inline(__always)
    mutating func scanRecord<Sink: WALRecordSink & ~Copyable>(
        _ rest: inout UnsafeRawBufferPointer, into sink: inout Sink
    ) throws(FormatError) -> (start: LSN, end: LSN)? {
        while !rest.isEmpty {
            if pageHeader.count > 0 || (position.rawValue % Self.pageSize == 0 && place != .unusedSegment) {
                let size = isLongHeader ? Self.longPageHeaderSize : Self.shortPageHeaderSize
                pageHeader.add(take(size - pageHeader.count, of: &rest))
                if pageHeader.count == size {
                    try beginPage()
                    if place == .recordHeader, recordHeader.count == 0 { sink.drop() }
                }
                continue
            }
            switch place {
            case .recordHeader:
                if recordHeader.count == 0 { recordStart = position }
                let piece = take(min(Self.recordHeaderSize - recordHeader.count, bytesToPageEnd), of: &rest)
                recordHeader.add(piece)
                sink.take(piece)
                try checkLength()
                if recordHeader.count == Self.recordHeaderSize {
                    try beginRecord()
                    if recordHeader.count == 0 { return recordExtent }
                }
            case .recordData, .unknownRecord:
                let piece = take(min(remaining, bytesToPageEnd), of: &rest)
                remaining -= piece.count
                let isKnown = place == .recordData
                if isKnown {
                    if checksCRC { crc = cchecksum_crc32c(crc, piece.baseAddress, piece.count) }
                    sink.take(piece)
                }
                if remaining == 0 {
                    try endData()
                    if isKnown { return recordExtent }
                }
            case .padding:
                _ = take(Int((0 &- position.rawValue) & 7), of: &rest)
                if position.rawValue & 7 == 0 { endRecord() }
            case .unusedSegment:
                guard take(segmentSize - segmentOffset, of: &rest).allSatisfy({ $0 == 0 }) else {
                    throw .invalid("the WAL before \(position) is neither records nor zeros")
                }
                if segmentOffset == 0 {
                    lastRecordEnd = position
                    place = .recordHeader
                }
            }
        }
        return nil
    }

    /// Of the record that has just ended.
    private var recordExtent: (start: LSN, end: LSN) {
        let unit = isSwitch || place == .unusedSegment ? UInt64(segmentSize) : 8
        return (recordStart, LSN(rawValue: (position.rawValue + unit - 1) / unit * unit))
    }

    /// What would find the record that follows on one whose CRC is wrong.
    var behindFailedRecord: WALRecordScanner {
        var scanner = self
        scanner.recordHeader.clear()
        scanner.previousStart = recordStart
        scanner.isSwitch = false
        scanner.place = position.rawValue & 7 == 0 ? .recordHeader : .padding
        return scanner
    }

    func pageHeaderEnd(_ page: LSN) -> LSN {
        let isFirst = page.rawValue & UInt64(segmentSize - 1) == 0
        return LSN(rawValue: page.rawValue + UInt64(isFirst ? Self.longPageHeaderSize : Self.shortPageHeaderSize))
    }

    /// Where the record in progress begins.
    var unfinishedRecord: LSN? {
        switch place {
        case .recordData: recordStart
        case .recordHeader: recordHeader.count > 0 ? recordStart : nil
        case .unknownRecord, .padding, .unusedSegment: nil
        }
    }

    var segmentOffset: Int { Int(position.rawValue & UInt64(segmentSize - 1)) }
    private var bytesToPageEnd: Int { Int(Self.pageSize - position.rawValue % Self.pageSize) }
    private var isLongHeader: Bool { segmentOffset - pageHeader.count == 0 }

    /// Up to `count` bytes, as many as there are.
    @inline(__always)
    private mutating func take(_ count: Int, of rest: inout UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let taken = UnsafeRawBufferPointer(rebasing: rest.prefix(count))
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken.count))
        position.rawValue += UInt64(taken.count)
        return taken
    }
}

/// Takes the bytes of records as a scan comes by them.
protocol WALRecordSink: ~Copyable {
    /// The next bytes of the record in progress.
    mutating func take(_ piece: UnsafeRawBufferPointer)
    /// No record is in progress: one that was has been given up by the server.
    mutating func drop()
}

/// For scans that nobody takes records from.
struct NoRecordSink: WALRecordSink {
    @inline(__always) mutating func take(_ piece: UnsafeRawBufferPointer) {}
    @inline(__always) mutating func drop() {}
}

/// A header's bytes, which may come in several pieces.
struct GatheredBytes: Sendable {
    private var bytes: [UInt8]
    private(set) var count = 0

    init(capacity: Int) { bytes = [UInt8](repeating: 0, count: capacity) }

    /// - Parameter piece: No more than there is room for.
    @inline(__always)
    mutating func add(_ piece: UnsafeRawBufferPointer) {
        guard let source = piece.baseAddress, piece.count > 0 else { return }
        let start = count
        bytes.withUnsafeMutableBytes { target in
            precondition(piece.count <= target.count - start)
            target.baseAddress!.advanced(by: start).copyMemory(from: source, byteCount: piece.count)
        }
        count += piece.count
    }

    mutating func clear() { count = 0 }

    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as _: T.Type) -> T {
        bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    func crc32c(_ crc: UInt32, _ count: Int) -> UInt32 {
        bytes.withUnsafeBytes { cchecksum_crc32c(crc, $0.baseAddress, count) }
    }
}
