public import PostgresFormat

/// Tells what records do besides changing pages by their block references. Changes of a visibility map that follow from a
/// record of a heap are `VisibilityChange`.
public struct RecordEffects: Sendable {
    /// PostgreSQL's version, 14 to 18.
    public let major: Int

    public init(major: Int) { self.major = major }

    /// - Parameter effects: Gets a record's effects, in the order in which they have to be done.
    /// - Throws: `RedoFault` where the record contradicts itself, or belongs to an extension and tells nothing else.
    public func append(of record: WALRecord, to effects: inout [RecordEffect]) throws(RedoFault) {
        if record.xid != 0 { effects.append(.xidUsed(record.xid)) }
        if let xid = record.topLevelXid { effects.append(.xidUsed(xid)) }
        switch record.manager {
        case .xlog: try XLOGRedo(record: record, major: major).append(to: &effects)
        case .transaction: try TransactionRedo(record: record, major: major).append(to: &effects)
        case .storage: try StorageRedo(record: record).append(to: &effects)
        case .clog: try CLOGRedo(record: record, major: major).append(to: &effects)
        case .database: try DatabaseRedo(record: record, major: major).append(to: &effects)
        case .tablespace: try TablespaceRedo(record: record).append(to: &effects)
        case .multiXact: try MultiXactRedo(record: record, major: major).append(to: &effects)
        case .relationMap: try RelationMapRedo(record: record).append(to: &effects)
        case .standby: try StandbyRedo(record: record).append(to: &effects)
        case .heap2: try Heap2Redo.appendMapping(record, to: &effects)
        case .commitTimestamp: try CommitTimestampRedo(record: record, major: major).append(to: &effects)
        case .replicationOrigin: try ReplicationOriginRedo(record: record).append(to: &effects)
        case .heap, .btree, .hash, .gin, .gist, .sequence, .spgist, .brin, .generic, .logicalMessage: break
        default: try refuseUnknown(record)
        }
    }

    /// A record of an extension's is known by its images alone.
    private func refuseUnknown(_ record: WALRecord) throws(RedoFault) {
        guard !record.blocks.isEmpty, record.blocks.allSatisfy({ $0.image?.applies == true }) else {
            throw unknownManager(record)
        }
    }
}

/// Of a manager whose records change no pages, or that belongs to an extension.
func unknownManager(_ record: WALRecord) -> RedoFault {
    record.manager.isBuiltIn
        ? RedoFault("records of \(record.manager) change no pages")
        : RedoFault("the resource manager \(record.manager) belongs to an extension, and cannot be redone without it")
}

/// An operation that no version has.
func unknownOperation(_ record: WALRecord) -> RedoFault {
    RedoFault("\(record.manager) has no operation \(String(record.operation, radix: 16))")
}
