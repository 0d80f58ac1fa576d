public import PostgresFormat

/// What a record does that is no change of a page by a block reference. Bytes are views of the record.
public enum RecordEffect {
    // MARK: Files of relations

    /// A fork's file is there from now on, empty if it is new.
    case relationCreated(RelationLocator, ForkKind)
    /// Forks are cut to what so many blocks of the main fork need.
    case relationTruncated(RelationLocator, blocks: UInt32, forks: TruncatedForks)
    /// All forks are removed.
    case relationDropped(RelationLocator)

    // MARK: Directories

    /// The directory is there from now on, with no relation in it.
    case databaseCreated(DatabaseDirectory)
    /// All files are copied as they are at this record, in the place of what was there.
    case databaseCopied(DatabaseDirectory, from: DatabaseDirectory)
    case databaseDropped(DatabaseDirectory)
    /// The path is empty for a tablespace within the data directory.
    case tablespaceCreated(UInt32, path: UnsafeRawBufferPointer)
    case tablespaceDropped(UInt32)
    /// The whole content of `pg_filenode.map`. Database 0 stands for the relations that all databases share.
    case relationMapReplaced(DatabaseDirectory, content: UnsafeRawBufferPointer)

    // MARK: Transactions

    case slru(SLRUChange)
    /// Whole segments are removed: those before the one that has this page.
    case slruTruncated(SLRUKind, before: Int)
    /// Segments are removed, from the one of the first page up to the one of the second, round the end of the log.
    case multixactMembersTruncated(from: Int, to: Int)
    /// Given out, or in use: the next one is behind it.
    case xidUsed(UInt32)
    case multixactUsed(UInt32, nextOffset: UInt32)
    /// What its file in `pg_twophase` holds, without the checksum.
    case transactionPrepared(UInt32, state: UnsafeRawBufferPointer)
    case preparedTransactionEnded(UInt32)
    /// In microseconds since 2000: what a recovery target by time is compared with.
    case transactionEnded(UInt32, time: Int64, commits: Bool)
    case oldestMultixact(UInt32, database: UInt32)
    /// The status of older ones is gone. It is not the control file's oldest transaction, which checkpoints alone tell.
    case oldestXid(UInt32, database: UInt32)
    /// Where commit timestamps are tracked: the newest transaction that has one, and the oldest that may.
    case newestCommitTimestamp(UInt32)
    case oldestCommitTimestamp(UInt32)

    // MARK: The control file, and recovery

    case checkpoint(CheckpointCopy, isShutdown: Bool)
    case nextOID(UInt32)
    case parametersChanged(WALParameters)
    case fullPageWritesChanged(Bool)
    case recoveryEnded(timeline: TimelineID, previous: TimelineID)
    /// Of the backup that began there: what it copied is consistent from now on.
    case backupEnded(startLSN: LSN)
    /// A name for a recovery target.
    case restorePoint(UnsafeRawBufferPointer)
    /// The record that begins there was never finished.
    case recordAborted(LSN)

    // MARK: Replication

    /// - Parameter isForced: It may also go back.
    case originAdvanced(UInt16, remoteLSN: LSN, isForced: Bool)
    case originDropped(UInt16)
    /// A file in `pg_logical/mappings` has these bytes at an offset, and ends behind them.
    case logicalMappingWritten(LogicalMapping)
}

/// Forks that a relation's truncation is about.
///
/// Source: PostgreSQL's `src/include/catalog/storage_xlog.h`.
public struct TruncatedForks: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let main = TruncatedForks(rawValue: 1)
    public static let visibilityMap = TruncatedForks(rawValue: 2)
    public static let freeSpaceMap = TruncatedForks(rawValue: 4)
}

/// Where a database's files are, of one tablespace.
public struct DatabaseDirectory: Hashable, Sendable, CustomStringConvertible {
    public let tablespace: UInt32
    /// 0 for what all databases share.
    public let database: UInt32

    public init(tablespace: UInt32, database: UInt32) {
        self.tablespace = tablespace
        self.database = database
    }

    public var description: String { "\(tablespace)/\(database)" }

    /// Relative to the data directory.
    ///
    /// - Parameter versionDirectory: See `tablespaceVersionDirectory`.
    public func path(versionDirectory: String) -> String {
        switch tablespace {
        case TablespaceOID.global: "global"
        case TablespaceOID.default: "base/\(database)"
        default: "pg_tblspc/\(tablespace)/\(versionDirectory)/\(database)"
        }
    }
}

extension RelationFork {
    /// Whether its files are there.
    public func isIn(_ directory: DatabaseDirectory) -> Bool {
        tablespace == directory.tablespace && database == directory.database
    }
}

/// The settings that a standby has to know, as the control file keeps them.
public struct WALParameters: Hashable, Sendable {
    public let maxConnections: Int32
    public let maxWorkerProcesses: Int32
    public let maxWALSenders: Int32
    public let maxPreparedTransactions: Int32
    public let maxLocksPerTransaction: Int32
    /// 0 minimal, 1 replica, 2 logical.
    public let walLevel: Int32
    public let logsHints: Bool
    public let tracksCommitTimestamps: Bool
}

extension WALParameters {
    /// As they are kept there.
    public init(_ control: ControlFile) {
        self.init(
            maxConnections: control.maxConnections, maxWorkerProcesses: control.maxWorkerProcesses,
            maxWALSenders: control.maxWALSenders, maxPreparedTransactions: control.maxPreparedTransactions,
            maxLocksPerTransaction: control.maxLocksPerTransaction, walLevel: Int32(control.walLevel.rawValue),
            logsHints: control.walLogHints, tracksCommitTimestamps: control.trackCommitTimestamp)
    }
}

/// What logical decoding has to know of a catalog that was rewritten.
public struct LogicalMapping {
    /// In `pg_logical/mappings`.
    public let fileName: String
    public let offset: Int64
    public let content: UnsafeRawBufferPointer
}
