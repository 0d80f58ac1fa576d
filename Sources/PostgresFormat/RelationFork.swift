/// The parts that a relation's storage has. Each is a file of its own, in segments.
public enum ForkKind: UInt8, Sendable, Hashable, CaseIterable, Comparable {
    case main, freeSpaceMap, visibilityMap
    /// What an unlogged relation is reset to after a crash.
    case initialization

    /// What follows the relation's number in the file's name.
    public var suffix: String {
        switch self {
        case .main: ""
        case .freeSpaceMap: "_fsm"
        case .visibilityMap: "_vm"
        case .initialization: "_init"
        }
    }

    @inlinable public static func < (a: ForkKind, b: ForkKind) -> Bool { a.rawValue < b.rawValue }
}

/// The object identifiers of the two tablespaces that every cluster has.
public enum TablespaceOID {
    /// `pg_default`: the directory `base`.
    public static let `default`: UInt32 = 1663
    /// `pg_global`: the directory `global`, for what all databases share.
    public static let global: UInt32 = 1664
}

/// One fork of one relation. `relation` is the file's number (relfilenode), not the table's OID.
public struct RelationFork: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var tablespace: UInt32
    /// 0 for the relations that all databases share.
    public var database: UInt32
    public var relation: UInt32
    public var fork: ForkKind

    @inlinable public init(tablespace: UInt32, database: UInt32, relation: UInt32, fork: ForkKind) {
        self.tablespace = tablespace
        self.database = database
        self.relation = relation
        self.fork = fork
    }

    /// By tablespace, database, relation, fork.
    @inlinable public static func < (a: RelationFork, b: RelationFork) -> Bool {
        (a.tablespace, a.database, a.relation, a.fork.rawValue)
            < (b.tablespace, b.database, b.relation, b.fork.rawValue)
    }

    /// The path of a segment file, relative to the data directory.
    ///
    /// - Parameter tablespaceVersionDirectory: See the function of that name; used for tablespaces of the user's.
    public func path(segment: Int = 0, tablespaceVersionDirectory: String) -> String {
        let file = RelationFileName(relation: relation, fork: fork, segment: segment).description
        switch tablespace {
        case TablespaceOID.global: return "global/\(file)"
        case TablespaceOID.default: return "base/\(database)/\(file)"
        default: return "pg_tblspc/\(tablespace)/\(tablespaceVersionDirectory)/\(database)/\(file)"
        }
    }

    public var description: String {
        "\(tablespace)/\(database)/\(RelationFileName(relation: relation, fork: fork, segment: 0))"
    }
}

/// The directory below a tablespace that one version keeps to itself, such as `PG_15_202209061`, so that clusters of
/// several versions can share a tablespace's location.
public func tablespaceVersionDirectory(major: Int, catalogVersion: UInt32) -> String {
    "PG_\(major)_\(catalogVersion)"
}
