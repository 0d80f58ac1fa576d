public import PostgresFormat

/// The name of a file that PostgreSQL archives: a segment, or one of the small files beside segments.
public struct WALFileName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// `000000010000000000000002`
        case segment
        /// `000000010000000000000002.partial`: the last segment of a TLI that ended in the middle of it.
        case partial
        /// `00000002.history`: where a TLI branched off.
        case history
        /// `000000010000000000000002.00000028.backup`: where a base backup began and ended.
        case backup
        /// `000000010000000000000002.00000000025A1B28.partial`: the beginning of a segment that is being written, up to
        /// this position. Only a safekeeper writes it, and takes it away when there is more.
        case unfinished(end: LSN)
    }

    public let text: String
    public let kind: Kind
    public let timeline: TimelineID

    public var description: String { text }

    /// Nil when `text` is no name that PostgreSQL gives to such a file.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.count == 16, bytes[8...].elementsEqual(".history".utf8),
            let first = Self.segment(
                bytes.prefix(8) + [UInt8](repeating: UInt8(ascii: "0"), count: 16), size: Self.smallestSegment)
        {
            // Also of TLI 1, which has none: at the end of a recovery PostgreSQL asks for it all the same.
            (kind, timeline) = (.history, first.timeline)
        } else if let segment = Self.segment(bytes.prefix(24), size: Self.smallestSegment) {
            timeline = segment.timeline
            switch bytes.dropFirst(24) {
            case let rest where rest.isEmpty: kind = .segment
            case let rest where rest.elementsEqual(".partial".utf8): kind = .partial
            case let rest
            where rest.count == 16 && rest.starts(with: [UInt8(ascii: ".")])
                && rest.suffix(7).elementsEqual(
                    ".backup".utf8)
                && rest.dropFirst().prefix(8).allSatisfy(Self.isDigit):
                kind = .backup
            case let rest
            where rest.count == 25 && rest.starts(with: [UInt8(ascii: ".")])
                && rest.suffix(8).elementsEqual(".partial".utf8):
                guard let end = LSN(hex16: String(decoding: rest.dropFirst().prefix(16), as: UTF8.self)) else {
                    return nil
                }
                kind = .unfinished(end: end)
            default: return nil
            }
        } else {
            return nil
        }
        self.text = String(text)
    }

    public init(_ segment: WALSegment) {
        text = segment.fileName
        kind = .segment
        timeline = segment.timeline
    }

    /// The beginning of a segment, up to `end`.
    public init(unfinished segment: WALSegment, end: LSN) {
        text = "\(segment.fileName).\(end.hex16).partial"
        kind = .unfinished(end: end)
        timeline = segment.timeline
    }

    /// The segment that the name is of, or begins with; nil for a history file, and where this size gives no such name.
    public func segment(size: Int) -> WALSegment? {
        kind == .history ? nil : Self.segment(text.utf8.prefix(24), size: size)
    }

    public static func < (a: WALFileName, b: WALFileName) -> Bool {
        a.text.utf8.lexicographicallyPrecedes(b.text.utf8)
    }

    /// A name that any segment size gives, this one gives too.
    private static let smallestSegment = 1 << 20

    private static func segment(_ digits: some Sequence<UInt8>, size: Int) -> WALSegment? {
        WALSegment(fileName: String(decoding: Array(digits), as: UTF8.self), size: size)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte)
    }
}
