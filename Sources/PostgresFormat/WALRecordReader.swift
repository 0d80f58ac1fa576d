/// Reads the records of WAL as its bytes go by, in pieces of any length.
///
/// A record within one page is a view of the piece; one that crosses the end of a page or of a piece is put together in a
/// buffer that is used again. Memory is that of the longest record.
public struct WALRecordReader: ~Copyable {
    private var scanner: WALRecordScanner
    private var gathered = GatheredRecord()
    private var decoder: WALRecordDecoder
    private let major: Int
    /// A record with a right CRC was no record.
    private var isUndecodable = false

    /// - Parameters:
    ///   - start: The beginning of a page, or of a record. A record that begins before it is passed over.
    ///   - segmentSize: A valid size.
    ///   - major: PostgreSQL's version, 14 to 18.
    public init(startingAt start: LSN, segmentSize: Int, major: Int) {
        scanner = WALRecordScanner(startingAt: start, segmentSize: segmentSize, checksCRC: true)
        decoder = WALRecordDecoder(major: major)
        self.major = major
    }

    /// Behind the last byte that was taken.
    public var position: LSN { scanner.position }
    /// Behind the last whole record; nil until one was seen.
    public var lastRecordEnd: LSN? { scanner.lastRecordEnd }
    public var timeline: TimelineID { scanner.timeline }
    public var systemIdentifier: UInt64? { scanner.systemIdentifier }

    /// Takes bytes up to the end of the next record.
    ///
    /// - Parameter bytes: Those that follow on what was taken before; what is taken now is gone from it.
    /// - Returns: The record, which is gone when this is called again or the bytes go; nil when all bytes were taken.
    /// - Throws: What is wrong with the WAL, or that it ends: `endSearch` tells which. The reader is of no further use.
    public mutating func next(_ bytes: inout UnsafeRawBufferPointer) throws(FormatError) -> WALRecord? {
        gathered.drop(isGiven: true)
        guard let (start, end) = try scanner.scanRecord(&bytes, into: &gathered) else {
            gathered.keep()
            return nil
        }
        do { return try decoder.decode(gathered.endRecord(), start: start, end: end) } catch {
            isUndecodable = true
            throw error
        }
    }

    /// What finds out whether WAL ends or is damaged, after `next` has thrown: give it the rest of the segment.
    public func endSearch(after failure: FormatError) -> WALEndSearch {
        WALEndSearch(after: failure, scanner, major: major, isWhole: isUndecodable)
    }
    /// Where the record begins whose end was not seen yet; nil between records.
    public var unfinishedRecord: LSN? { scanner.unfinishedRecord }
}

/// A record's bytes: as long as they are one piece, where they are; else in a buffer.
///
/// Not private: the 6.3 compiler crashes where another module that is optimized destroys a reader.
struct GatheredRecord: WALRecordSink, ~Copyable {
    private var view = UnsafeRawBufferPointer(start: nil, count: 0)
    private var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var bufferedCount = 0
    private var isWhole = false

    deinit { buffer.deallocate() }

    @inline(__always)
    mutating func take(_ piece: UnsafeRawBufferPointer) {
        guard let start = piece.baseAddress, piece.count > 0 else { return }
        if bufferedCount == 0 {
            guard let first = view.baseAddress else {
                view = piece
                return
            }
            if first + view.count == start {
                view = UnsafeRawBufferPointer(start: first, count: view.count + piece.count)
                return
            }
            keep()
        }
        append(piece)
    }

    /// Copies what was taken, as the bytes are about to go.
    mutating func keep() {
        guard view.count > 0 else { return }
        append(view)
        view = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    mutating func drop() { drop(isGiven: false) }

    /// - Parameter isGiven: Only what was given out as a record.
    mutating func drop(isGiven: Bool) {
        guard !isGiven || isWhole else { return }
        view = UnsafeRawBufferPointer(start: nil, count: 0)
        bufferedCount = 0
        isWhole = false
    }

    mutating func endRecord() -> UnsafeRawBufferPointer {
        isWhole = true
        return bufferedCount == 0 ? view : UnsafeRawBufferPointer(rebasing: buffer[..<bufferedCount])
    }

    private static let firstCapacity = 64 << 10

    /// The buffer grows with what has come: a record that says it is long costs nothing until it is.
    private mutating func append(_ piece: UnsafeRawBufferPointer) {
        let needed = bufferedCount + piece.count
        if needed > buffer.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(needed, buffer.count * 2, Self.firstCapacity), alignment: 8)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<bufferedCount]))
            buffer.deallocate()
            buffer = larger
        }
        UnsafeMutableRawBufferPointer(rebasing: buffer[bufferedCount...]).copyMemory(from: piece)
        bufferedCount = needed
    }
}
