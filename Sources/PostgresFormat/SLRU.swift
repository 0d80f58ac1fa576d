/// The small logs that PostgreSQL keeps as pages in numbered segment files: transaction status and the like.
///
/// Their pages have no header and no checksum. Source: PostgreSQL's `src/backend/access/transam/slru.c`.
public enum SLRUKind: UInt8, Sendable, Hashable, CaseIterable {
    /// Which transactions committed.
    case transactions
    case multixactMembers, multixactOffsets
    case commitTimestamps
    case subtransactions
    /// LISTEN and NOTIFY; emptied at every start.
    case notify
    /// Conflicts of serializable transactions; emptied at every start.
    case serial

    /// Relative to the data directory.
    public var directory: String {
        switch self {
        case .transactions: "pg_xact"
        case .multixactMembers: "pg_multixact/members"
        case .multixactOffsets: "pg_multixact/offsets"
        case .commitTimestamps: "pg_commit_ts"
        case .subtransactions: "pg_subtrans"
        case .notify: "pg_notify"
        case .serial: "pg_serial"
        }
    }

    public init?(directory: some StringProtocol) {
        guard let kind = Self.allCases.first(where: { $0.directory == directory }) else { return nil }
        self = kind
    }

    /// Whether segment files have names of 15 digits, since their numbers no longer wrap around.
    public func hasLongNames(major: Int) -> Bool { major >= 17 && (self == .notify || self == .serial) }
}

/// One segment file of an SLRU.
public struct SLRUSegment: Hashable, Sendable {
    /// Source: `src/include/access/slru.h`, `SLRU_PAGES_PER_SEGMENT`.
    public static let pages = 32

    public let kind: SLRUKind
    public let number: Int

    /// - Parameter number: Not negative.
    public init(kind: SLRUKind, number: Int) {
        precondition(number >= 0)
        self.kind = kind
        self.number = number
    }

    /// The segment that holds a page.
    public init(kind: SLRUKind, holdingPage page: Int) { self.init(kind: kind, number: page / Self.pages) }

    /// Parses upper-case hex digits: at least four, no more than six and no zeros in front of more than four; or
    /// exactly 15 where some version gives this kind long names.
    public init?(kind: SLRUKind, fileName: some StringProtocol) {
        let digits = Array(fileName.utf8)
        let isLong = digits.count == 15 && kind.hasLongNames(major: PGVersion.supported.upperBound)
        guard isLong || (4...6).contains(digits.count) && (digits.count == 4 || digits[0] != UInt8(ascii: "0")),
            let number = parseHexadecimal(digits, count: 4...15, as: Int.self, upperCaseOnly: true)
        else { return nil }
        self.init(kind: kind, number: number)
    }

    public func fileName(major: Int) -> String {
        hexadecimal(UInt64(number), digits: kind.hasLongNames(major: major) ? 15 : 4)
    }

    /// Relative to the data directory.
    public func path(major: Int) -> String { kind.directory + "/" + fileName(major: major) }

    /// Its first page, counted from the beginning of the log.
    public var firstPage: Int { number * Self.pages }
}
