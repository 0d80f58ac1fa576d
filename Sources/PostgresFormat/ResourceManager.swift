/// A resource manager: the part of PostgreSQL that writes a kind of WAL records, and redoes them.
///
/// Source: PostgreSQL's `src/include/access/rmgrlist.h`; the numbers are the same in 14 to 18.
public struct ResourceManager: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let xlog = ResourceManager(rawValue: 0)
    public static let transaction = ResourceManager(rawValue: 1)
    public static let storage = ResourceManager(rawValue: 2)
    public static let clog = ResourceManager(rawValue: 3)
    public static let database = ResourceManager(rawValue: 4)
    public static let tablespace = ResourceManager(rawValue: 5)
    public static let multiXact = ResourceManager(rawValue: 6)
    public static let relationMap = ResourceManager(rawValue: 7)
    public static let standby = ResourceManager(rawValue: 8)
    public static let heap2 = ResourceManager(rawValue: 9)
    public static let heap = ResourceManager(rawValue: 10)
    public static let btree = ResourceManager(rawValue: 11)
    public static let hash = ResourceManager(rawValue: 12)
    public static let gin = ResourceManager(rawValue: 13)
    public static let gist = ResourceManager(rawValue: 14)
    public static let sequence = ResourceManager(rawValue: 15)
    public static let spgist = ResourceManager(rawValue: 16)
    public static let brin = ResourceManager(rawValue: 17)
    public static let commitTimestamp = ResourceManager(rawValue: 18)
    public static let replicationOrigin = ResourceManager(rawValue: 19)
    public static let generic = ResourceManager(rawValue: 20)
    public static let logicalMessage = ResourceManager(rawValue: 21)

    /// From here on they are those of extensions (PostgreSQL 15 and later).
    public static let firstCustom: UInt8 = 128
    public var isCustom: Bool { rawValue >= Self.firstCustom }
    public var isBuiltIn: Bool { Int(rawValue) < Self.names.count }

    /// As `pg_waldump` names them.
    public static let names = [
        "XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace", "MultiXact", "RelMap", "Standby", "Heap2",
        "Heap", "Btree", "Hash", "Gin", "Gist", "Sequence", "SPGist", "BRIN", "CommitTs", "ReplicationOrigin",
        "Generic", "LogicalMessage",
    ]

    public var description: String {
        if isBuiltIn { return Self.names[Int(rawValue)] }
        let digits = String(rawValue)
        return (isCustom ? "custom" : "unknown") + String(repeating: "0", count: 3 - digits.utf8.count) + digits
    }
}
