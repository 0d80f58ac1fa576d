/// A WAL record, as views of bytes that its maker owns: valid until that goes on.
///
/// Source: PostgreSQL's `src/include/access/xlogrecord.h`, `XLogRecord`.
public struct WALRecord {
    /// Where it begins.
    public let startLSN: LSN
    /// Where WAL goes on after it: what a page that it changed has for its LSN. After a switch, the next segment.
    public let endLSN: LSN
    /// Where the record before it begins.
    public let previousLSN: LSN
    /// 0 where it belongs to no transaction.
    public let xid: UInt32
    public let manager: ResourceManager
    /// All eight bits.
    public let info: UInt8
    /// Header and all, without the padding behind it.
    public let length: Int
    /// Of logical replication: the node that the change came from.
    public let origin: UInt16?
    /// The transaction above this one, in the first record of a subtransaction where `wal_level` is logical.
    public let topLevelXid: UInt32?
    public let blocks: UnsafeBufferPointer<WALBlockReference>
    public let mainData: UnsafeRawBufferPointer

    /// The four bits that belong to the resource manager.
    @inlinable public var operation: UInt8 { info & 0xF0 }
    /// Files of relations are changed in a way that block references do not show.
    @inlinable public var changesFiles: Bool { info & 0x01 != 0 }
    /// Images show pages after the record, for `wal_consistency_checking`.
    @inlinable public var hasConsistencyImages: Bool { info & 0x02 != 0 }

    /// Bytes of images: what `pg_waldump` takes off the length.
    public var imageBytes: Int { blocks.reduce(0) { $0 + ($1.image?.bytes.count ?? 0) } }

    /// The reference with this number; nil where there is none.
    @inlinable public func block(_ id: UInt8) -> WALBlockReference? { blocks.first { $0.id == id } }
}

/// A relation's files: tablespace, database, and the file's number.
public struct RelationLocator: Hashable, Sendable, CustomStringConvertible {
    public var tablespace: UInt32
    /// 0 for the relations that all databases share.
    public var database: UInt32
    public var relation: UInt32

    @inlinable public init(tablespace: UInt32, database: UInt32, relation: UInt32) {
        self.tablespace = tablespace
        self.database = database
        self.relation = relation
    }

    public var description: String { "\(tablespace)/\(database)/\(relation)" }
}

/// A page that a record is about.
public struct WALBlockReference {
    public let id: UInt8
    public let fork: ForkKind
    public let relation: RelationLocator
    public let block: UInt32
    /// Redo makes the page anew, whatever was there.
    public let initializes: Bool
    public let image: WALPageImage?
    public let data: UnsafeRawBufferPointer
}

/// A page as a record carries it.
public struct WALPageImage {
    public enum Compression: Sendable, Hashable { case none, pglz, lz4, zstd }

    public let bytes: UnsafeRawBufferPointer
    /// Where the bytes are that were left out, and how many; they are zeros.
    public let holeOffset: Int
    public let holeLength: Int
    public let compression: Compression
    /// Redo puts it in the page's place; otherwise it is there to compare with.
    public let applies: Bool

    /// What the bytes are when they are expanded.
    @inlinable public var expandedBytes: Int { Page.size - holeLength }
}
