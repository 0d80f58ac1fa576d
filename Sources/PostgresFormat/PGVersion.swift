/// The major version that a data directory is of, as its file `PG_VERSION` says.
public struct PGVersion: Hashable, Sendable, CustomStringConvertible {
    /// The major versions whose formats are known here.
    public static let supported = 14...18

    public let major: Int

    public init?(major: Int) {
        guard Self.supported.contains(major) else { return nil }
        self.major = major
    }

    /// Parses the content of `PG_VERSION`: the number and a line feed.
    public init(parsing bytes: [UInt8]) throws(FormatError) {
        var digits = bytes[...]
        if digits.last == UInt8(ascii: "\n") { digits.removeLast() }
        let isVersion =
            (1...8).contains(digits.count)
            && digits.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
        guard isVersion else { throw .invalid("PG_VERSION does not hold a version number") }
        guard let major = parseDecimal(digits, as: Int.self), let version = PGVersion(major: major) else {
            throw .unsupportedVersion(
                "PostgreSQL \(String(decoding: digits, as: UTF8.self)) is not supported; versions "
                    + "\(Self.supported.lowerBound) to \(Self.supported.upperBound) are")
        }
        self = version
    }

    public var description: String { "PostgreSQL \(major)" }
}
