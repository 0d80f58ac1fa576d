/// What it means that no record goes on where one should.
public enum WALEnd: Hashable, Sendable, CustomStringConvertible {
    /// WAL ends there: zeros, a page of an older use of the file, or a record that was never finished.
    case end(reason: String)
    /// WAL goes on behind it.
    case damage(reason: String)

    public var isDamage: Bool {
        if case .damage = self { true } else { false }
    }

    public var description: String {
        switch self {
        case .end(let reason), .damage(let reason): reason
        }
    }
}

/// Tells the end of WAL from damage, by what follows in the segment.
///
/// A server writes WAL in order, and the rest of a segment is zeros, or pages of an older use, which name other
/// positions. So WAL that follows behind a place where it does not go on has lost something there. A record whose CRC
/// alone is wrong, and which the next one follows, tells the same within a page.
///
/// A server that went down with its machine and recovered leaves what it had written behind the new end of its WAL,
/// until it comes by there again: that looks like damage, and the reason names what was found.
public struct WALEndSearch: Sendable {
    private let failure: String
    private let major: Int
    private let segmentSize: Int
    private let timeline: TimelineID
    private var position: LSN
    private var header = GatheredBytes(capacity: WALRecordScanner.shortPageHeaderSize)
    /// Follows behind a record with a wrong CRC; nil for other failures, and when it finds none.
    private var following: WALRecordScanner?
    /// What proves that WAL goes on.
    private var proof: String?

    /// - Parameters:
    ///   - failure: What the scanner threw.
    ///   - isWhole: The failed record had a right CRC: nobody else's bytes can be the reason.
    init(after failure: FormatError, _ scanner: WALRecordScanner, major: Int, isWhole: Bool) {
        self.failure = failure.description
        self.major = major
        segmentSize = scanner.segmentSize
        timeline = scanner.timeline
        position = scanner.position
        if isWhole { proof = "its CRC is right" }
        if let page = scanner.lastPage, scanner.pageHeaderEnd(page) == position {
            proof = "the page itself is in its place"
        }
        if case .badCRC = failure { following = scanner.behindFailedRecord }
    }

    /// Takes the bytes that follow in the segment on those that the reader took.
    public mutating func take(_ bytes: UnsafeRawBufferPointer) {
        if proof == nil { lookForRecord(bytes) }
        var rest = bytes
        while proof == nil, !rest.isEmpty {
            let offset = Int(position.rawValue % UInt64(Page.size))
            let isInHeader = offset < WALRecordScanner.shortPageHeaderSize && header.count == offset
            let wanted = isInHeader ? WALRecordScanner.shortPageHeaderSize - offset : Page.size - offset
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(wanted))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(wanted))
            position.rawValue &+= UInt64(piece.count)
            if isInHeader {
                header.add(piece)
                if header.count == WALRecordScanner.shortPageHeaderSize { lookAtPage() }
            } else if position.rawValue % UInt64(Page.size) == 0 {
                header.clear()
            }
        }
    }

    /// Decides.
    ///
    /// - Parameter nextSegment: The beginning of the file of the segment that follows, a page header's at least; nil
    ///   where there is no such file.
    public func decide(nextSegment: (start: LSN, bytes: [UInt8])?) -> WALEnd {
        if let proof { return .damage(reason: "\(failure), but \(proof)") }
        if let (start, bytes) = nextSegment, bytes.count >= WALRecordScanner.shortPageHeaderSize {
            var header = GatheredBytes(capacity: WALRecordScanner.shortPageHeaderSize)
            bytes.withUnsafeBytes {
                header.add(UnsafeRawBufferPointer(rebasing: $0.prefix(WALRecordScanner.shortPageHeaderSize)))
            }
            if belongs(header, at: start) { return .damage(reason: "\(failure), but WAL goes on at \(start)") }
        }
        return .end(reason: failure)
    }

    private mutating func lookAtPage() {
        let address = LSN(rawValue: position.rawValue - UInt64(WALRecordScanner.shortPageHeaderSize))
        if belongs(header, at: address) { proof = "WAL goes on at \(address)" }
    }

    private func belongs(_ header: GatheredBytes, at address: LSN) -> Bool {
        let flags = header.load(2, as: UInt16.self)
        let isFirst = address.rawValue % UInt64(segmentSize) == 0
        return header.load(0, as: UInt16.self) == WALPageHeader.magics[major]
            && header.load(8, as: UInt64.self) == address.rawValue && header.load(4, as: UInt32.self) >= timeline
            && WALRecordScanner.areFlags(flags, ofLongHeader: isFirst)
    }

    private mutating func lookForRecord(_ bytes: UnsafeRawBufferPointer) {
        guard following != nil else { return }
        var rest = bytes
        var nobody = NoRecordSink()
        do {
            guard let (start, _) = try following?.scanRecord(&rest, into: &nobody) else { return }
            proof = "the record at \(start) follows on it"
        } catch { following = nil }  // no record is there, which proves nothing
    }
}
