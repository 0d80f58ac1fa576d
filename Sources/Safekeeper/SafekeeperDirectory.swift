public import SystemPackage

/// Where a safekeeper keeps what it has on its local disk.
public struct SafekeeperDirectory: Sendable {
    public let path: FilePath

    public init(_ path: FilePath) { self.path = path }

    /// Segments and timeline histories, as in PostgreSQL's `pg_wal`.
    public var wal: FilePath { path.appending("wal") }
    /// Page indexes of segments, under the segments' names.
    public var walIndex: FilePath { path.appending("wal_index") }
    /// Whose WAL it is.
    public var cluster: FilePath { path.appending("cluster.json") }
    public var slots: FilePath { path.appending("slots.json") }
    /// Which of the WAL here the archive has.
    public var offloaded: FilePath { path.appending("offloaded.json") }
    /// What was read back from storage for a consumer, and has a name for a moment only.
    public var fetched: FilePath { path.appending("fetched") }
    /// What the running daemon last said of itself, for `status`.
    public var status: FilePath { path.appending("safekeeper.status.json") }
}
