import Digests
public import PostgresFormat

/// One line of history of one cluster: 128 random bits, 32 hex digits. Not PostgreSQL's TLI, which is a number
/// inside it and may advance within one timeline.
public struct TimelineUUID: Hashable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    public init() {
        var generator = SystemRandomNumberGenerator()
        bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// - Parameter bytes: 16 of them.
    init(bytes: [UInt8]) {
        precondition(bytes.count == 16)
        self.bytes = bytes
    }

    /// Nil unless `text` is 32 lower-case hex digits.
    public init?(_ text: some StringProtocol) {
        let digits = Array(text.utf8)
        guard digits.count == 32 else { return nil }
        var bytes: [UInt8] = []
        for pair in stride(from: 0, to: 32, by: 2) {
            guard let high = Self.value(digits[pair]), let low = Self.value(digits[pair + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    public var description: String { bytes.hexadecimal }
}

/// The name of a snapshot, which a listing alone is enough to find and order it by:
/// `<timeline>_<startLSN>_<endLSN>_<UTC>`, LSNs as 16 hex digits, the time as `20261123T113000Z`.
public struct SnapshotName: Hashable, Sendable, CustomStringConvertible {
    public let timeline: TimelineUUID
    /// 0 for a complete snapshot, else the end of its parent.
    public let startLSN: LSN
    public let endLSN: LSN
    public let created: UTCTime

    public init(timeline: TimelineUUID, startLSN: LSN, endLSN: LSN, created: UTCTime) {
        self.timeline = timeline
        self.startLSN = startLSN
        self.endLSN = endLSN
        self.created = created
    }

    /// Nil unless `text` is exactly what `description` would print.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 4, let timeline = TimelineUUID(parts[0]), let start = LSN(hex16: parts[1]),
            let end = LSN(hex16: parts[2]), let created = UTCTime(compact: parts[3]), start <= end
        else { return nil }
        self.init(timeline: timeline, startLSN: start, endLSN: end, created: created)
    }

    public var isComplete: Bool { startLSN.rawValue == 0 }

    public var description: String {
        "\(timeline)_\(startLSN.hex16)_\(endLSN.hex16)_\(created.compact)"
    }

    /// By LSN, then by time of creation.
    public static func precedes(_ a: SnapshotName, _ b: SnapshotName) -> Bool {
        (a.endLSN.rawValue, a.created.microseconds, a.startLSN.rawValue)
            < (b.endLSN.rawValue, b.created.microseconds, b.startLSN.rawValue)
    }
}
