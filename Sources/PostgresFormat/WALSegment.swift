/// One segment file of the WAL: `pg_wal/<timeline><upper half><lower half>`, 24 hex digits.
///
/// The name depends on the segment size, which it does not tell: a file name is read with the size that the cluster's
/// control file gives.
public struct WALSegment: Hashable, Sendable, CustomStringConvertible {
    public let timeline: TimelineID
    /// Counted from the beginning of the WAL: the segment covers `number * size ..< (number + 1) * size`.
    public let number: UInt64
    /// In bytes.
    public let size: Int

    /// PostgreSQL's `initdb --wal-segsize`: a power of two from 1 MiB to 1 GiB.
    public static func isValidSize(_ size: Int) -> Bool {
        size >= 1 << 20 && size <= 1 << 30 && size & (size - 1) == 0
    }

    /// - Parameter size: A valid size (`isValidSize`).
    public init(timeline: TimelineID, number: UInt64, size: Int) {
        precondition(Self.isValidSize(size), "not a WAL segment size")
        self.timeline = timeline
        self.number = number
        self.size = size
    }

    /// The segment that holds the byte at `lsn`.
    public init(timeline: TimelineID, holding lsn: LSN, size: Int) {
        precondition(Self.isValidSize(size), "not a WAL segment size")
        self.init(timeline: timeline, number: lsn.rawValue / UInt64(size), size: size)
    }

    /// Parses a segment's file name, 24 upper-case hex digits. Nil when it is not one that this size gives.
    public init?(fileName: some StringProtocol, size: Int) {
        let digits = Array(fileName.utf8)
        guard Self.isValidSize(size), digits.count == 24,
            let timeline = parseHexadecimal(digits[0..<8], count: 8...8, as: UInt32.self, upperCaseOnly: true),
            let high = parseHexadecimal(digits[8..<16], count: 8...8, as: UInt64.self, upperCaseOnly: true),
            let low = parseHexadecimal(digits[16..<24], count: 8...8, as: UInt64.self, upperCaseOnly: true),
            timeline != 0, low < Self.segmentsPerHalf(size)
        else { return nil }
        self.init(timeline: timeline, number: high * Self.segmentsPerHalf(size) + low, size: size)
    }

    /// Segments in 4 GiB: the middle eight digits of a name count these.
    private static func segmentsPerHalf(_ size: Int) -> UInt64 { (1 << 32) / UInt64(size) }

    public var fileName: String {
        let perHalf = Self.segmentsPerHalf(size)
        return hexadecimal(timeline, digits: 8) + hexadecimal(number / perHalf, digits: 8)
            + hexadecimal(number % perHalf, digits: 8)
    }

    public var description: String { fileName }

    /// Where its first byte lies.
    public var startLSN: LSN { LSN(rawValue: number &* UInt64(size)) }
    /// Behind its last byte.
    public var endLSN: LSN { LSN(rawValue: (number &+ 1) &* UInt64(size)) }

    public var next: WALSegment { WALSegment(timeline: timeline, number: number &+ 1, size: size) }
}

/// A timeline's history file: `pg_wal/0000000A.history`, which tells where it branched off.
public enum TimelineHistoryFile {
    public static func name(of timeline: TimelineID) -> String { hexadecimal(timeline, digits: 8) + ".history" }

    /// The timeline that a file of this name tells of. Timeline 1 has no history.
    public static func timeline(ofFileName name: some StringProtocol) -> TimelineID? {
        let bytes = Array(name.utf8)
        guard bytes.count == 16, bytes[8...].elementsEqual(".history".utf8),
            let timeline = parseHexadecimal(bytes[0..<8], count: 8...8, as: UInt32.self, upperCaseOnly: true),
            timeline > 1
        else { return nil }
        return timeline
    }
}
