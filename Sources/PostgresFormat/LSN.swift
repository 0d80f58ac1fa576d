/// A number inside a cluster's history that a promotion or a point-in-time recovery advances. Not Zenith's timeline.
public typealias TimelineID = UInt32

/// A position in the WAL, in bytes from its beginning. In text `X/Y`: its upper and lower 32 bits in hex.
public struct LSN: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible, LosslessStringConvertible
{
    public var rawValue: UInt64

    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// PostgreSQL's `InvalidXLogRecPtr`: no record is there.
    public static let invalid = LSN(rawValue: 0)

    /// Parses `X/Y`, one to eight hex digits of either case on each side and nothing else.
    public init?(_ text: String) {
        let sides = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard sides.count == 2, let high = parseHexadecimal(sides[0], count: 1...8, as: UInt64.self),
            let low = parseHexadecimal(sides[1], count: 1...8, as: UInt64.self)
        else { return nil }
        rawValue = high << 32 | low
    }

    /// Parses what `hex16` prints: sixteen upper-case digits, so that one position has one name.
    public init?(hex16 text: some StringProtocol) {
        guard let value = parseHexadecimal(text.utf8, count: 16...16, as: UInt64.self, upperCaseOnly: true) else {
            return nil
        }
        rawValue = value
    }

    /// `X/Y` as PostgreSQL prints it: upper case, no leading zeros.
    public var description: String {
        String(rawValue >> 32, radix: 16, uppercase: true) + "/"
            + String(rawValue & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }

    /// Sixteen upper-case hex digits: sorts as text in the order of the WAL.
    public var hex16: String { hexadecimal(rawValue, digits: 16) }

    @inlinable public static func < (a: LSN, b: LSN) -> Bool { a.rawValue < b.rawValue }
}
