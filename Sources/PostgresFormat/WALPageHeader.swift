/// The header of an 8 KiB page of WAL.
///
/// Source: PostgreSQL's `src/include/access/xlog_internal.h`, `XLogPageHeaderData` and `XLogLongPageHeaderData`.
public struct WALPageHeader: Hashable, Sendable {
    /// What the first page of a segment says beyond what all pages say.
    public struct Segment: Hashable, Sendable {
        public let systemIdentifier: UInt64
        public let segmentSize: UInt32
        public let blockSize: UInt32
    }

    public let magic: UInt16
    public let timeline: TimelineID
    /// The page's own position in the WAL.
    public let address: LSN
    /// Bytes still to come of a record that began on an earlier page; they follow the header.
    public let remainingBytes: UInt32
    public let continuesRecord: Bool
    public let segment: Segment?

    /// Bytes of the header.
    public var size: Int { segment == nil ? Self.shortSize : Self.longSize }
    public static let shortSize = 24
    /// Of a segment's first page.
    public static let longSize = 40

    /// `XLOG_PAGE_MAGIC`: each major version has its own.
    public static let magics: [Int: UInt16] = [14: 0xD10D, 15: 0xD110, 16: 0xD113, 17: 0xD116, 18: 0xD118]

    private static let firstIsContinuation: UInt16 = 0x0001
    static let longHeader: UInt16 = 0x0002
    private static let allFlags: UInt16 = 0x000F

    /// Parses the header of a page and checks it against where the page was found.
    public init(
        parsing page: [UInt8], at address: LSN, segmentSize: Int, major: Int
    ) throws(FormatError) {
        guard page.count >= Page.size else { throw .truncated(offset: page.count, needed: Page.size) }
        let fields = FieldReader(bytes: page)
        var (magic, info): (UInt16, UInt16) = (0, 0)
        var (timeline, remaining): (UInt32, UInt32) = (0, 0)
        var position: UInt64 = 0
        try fields.integer(&magic, at: 0)
        try fields.integer(&info, at: 2)
        try fields.integer(&timeline, at: 4)
        try fields.integer(&position, at: 8)
        try fields.integer(&remaining, at: 16)
        guard let expected = Self.magics[major] else {
            throw .unsupportedVersion("PostgreSQL \(major) is not supported")
        }
        guard magic == expected else {
            throw .invalid(
                "the WAL page at \(address) begins with \(hexadecimal(magic, digits: 4)), not with "
                    + "\(hexadecimal(expected, digits: 4)) as PostgreSQL \(major) writes it")
        }
        guard position == address.rawValue else {
            throw .invalid("the WAL page at \(address) says that it is at \(LSN(rawValue: position))")
        }
        let isFirst = address.rawValue % UInt64(segmentSize) == 0
        guard info & ~Self.allFlags == 0, (info & Self.longHeader != 0) == isFirst else {
            throw .invalid("the WAL page at \(address) has flags \(hexadecimal(info, digits: 4))")
        }
        self.magic = magic
        self.timeline = timeline
        self.address = address
        remainingBytes = remaining
        continuesRecord = info & Self.firstIsContinuation != 0
        guard isFirst else {
            segment = nil
            return
        }
        var identifier: UInt64 = 0
        var (storedSegment, storedBlock): (UInt32, UInt32) = (0, 0)
        try fields.integer(&identifier, at: 24)
        try fields.integer(&storedSegment, at: 32)
        try fields.integer(&storedBlock, at: 36)
        guard storedSegment == segmentSize, storedBlock == Page.size else {
            throw .invalid(
                "the WAL segment at \(address) has \(storedSegment) bytes in blocks of \(storedBlock), not "
                    + "\(segmentSize) in blocks of \(Page.size)")
        }
        segment = Segment(systemIdentifier: identifier, segmentSize: storedSegment, blockSize: storedBlock)
    }
}
