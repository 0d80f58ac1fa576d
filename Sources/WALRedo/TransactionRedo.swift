import PostgresFormat

/// What the ends of transactions do, and preparing them for it.
///
/// Source: PostgreSQL's `src/backend/access/transam/xact.c`, `xact_redo`, and `src/include/access/xact.h`.
struct TransactionRedo {
    let record: WALRecord
    let major: Int

    private enum Operation {
        static let mask: UInt8 = 0x70
        static let commit: UInt8 = 0x00
        static let prepare: UInt8 = 0x10
        static let abort: UInt8 = 0x20
        static let commitPrepared: UInt8 = 0x30
        static let abortPrepared: UInt8 = 0x40
        static let assignment: UInt8 = 0x50
        static let invalidations: UInt8 = 0x60
        static let hasParts: UInt8 = 0x80
    }

    /// The end of a transaction that nothing more is said of.
    @inline(__always)
    static func isPlainEnd(_ record: WALRecord) -> Bool {
        record.info == Operation.commit || record.info == Operation.abort
    }

    private enum Part {
        static let database: UInt32 = 0x01
        static let subtransactions: UInt32 = 0x02
        static let relations: UInt32 = 0x04
        static let invalidations: UInt32 = 0x08
        static let twoPhase: UInt32 = 0x10
        static let origin: UInt32 = 0x20
        static let globalID: UInt32 = 0x80
        static let statistics: UInt32 = 0x100
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        switch record.info & Operation.mask {
        case Operation.commit, Operation.commitPrepared: try end(commits: true, &effects)
        case Operation.abort, Operation.abortPrepared: try end(commits: false, &effects)
        case Operation.prepare: try prepare(&effects)
        case Operation.assignment: try assignment(&effects)
        case Operation.invalidations: break
        default: throw unknownOperation(record)
        }
    }

    private func end(commits: Bool, _ effects: inout [RecordEffect]) throws(RedoFault) {
        var main = RecordData(record.mainData)
        let time = try main.read(Int64.self)
        let parts = record.info & Operation.hasParts != 0 ? try main.read(UInt32.self) : 0
        if parts & Part.database != 0 { _ = try main.read(8) }
        let subtransactions = try elements(&main, parts & Part.subtransactions, size: 4)
        let relations = try elements(&main, parts & Part.relations, size: 12)
        _ = try elements(&main, parts & Part.statistics, size: major >= 18 ? 16 : 12)
        if commits { _ = try elements(&main, parts & Part.invalidations, size: 16) }
        let prepared = parts & Part.twoPhase != 0 ? try main.read(UInt32.self) : nil
        if prepared != nil, parts & Part.globalID != 0 {
            guard let end = main.rest.firstIndex(of: 0) else { throw RedoFault("its global identifier has no end") }
            _ = try main.read(end + 1)
        }
        let origin = parts & Part.origin != 0 ? (try main.read(UInt64.self), try main.read(Int64.self)) : nil

        let transactions = TransactionList(top: prepared ?? record.xid, subtransactions: subtransactions)
        if prepared != nil { effects.append(.xidUsed(transactions.top)) }
        for xid in transactions.dropFirst() { effects.append(.xidUsed(xid)) }
        setTimestamps(transactions, origin?.1 ?? time, commits: commits, &effects)
        if transactions.top != 0 {
            let status: TransactionStatus = commits ? .committed : .aborted
            for page in transactions.pages(SLRUChange.statusPage) {
                let content = SLRUChange.Content.status(status, transactions)
                effects.append(.slru(SLRUChange(kind: .transactions, page: page, content: content)))
            }
        }
        if let origin, let node = record.origin {
            effects.append(.originAdvanced(node, remoteLSN: LSN(rawValue: origin.0), isForced: false))
        }
        appendDrops(relations, &effects)
        if let prepared { effects.append(.preparedTransactionEnded(prepared)) }
        effects.append(.transactionEnded(transactions.top, time: time, commits: commits))
    }

    /// Where commit timestamps are tracked.
    private func setTimestamps(
        _ transactions: TransactionList, _ time: Int64, commits: Bool, _ effects: inout [RecordEffect]
    ) {
        guard commits, transactions.top != 0, let newest = transactions.last else { return }
        for page in transactions.pages(SLRUChange.timestampPage) {
            let content = SLRUChange.Content.timestamp(transactions, time: time, origin: record.origin ?? 0)
            effects.append(.slru(SLRUChange(kind: .commitTimestamps, page: page, content: content)))
        }
        effects.append(.newestCommitTimestamp(newest))
    }

    private func appendDrops(_ relations: UnsafeRawBufferPointer, _ effects: inout [RecordEffect]) {
        for start in stride(from: 0, to: relations.count, by: 12) {
            effects.append(.relationDropped(RelationLocator(loading: relations, at: start)))
        }
    }

    /// A count and so many elements; none where the flag is not set.
    private func elements(
        _ main: inout RecordData, _ flag: UInt32, size: Int
    ) throws(RedoFault) -> UnsafeRawBufferPointer {
        guard flag != 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let count = Int(try main.read(Int32.self))
        guard count >= 0, count <= main.count / size else {
            throw RedoFault("it has \(count) elements of \(size) bytes")
        }
        return try main.read(count * size)
    }

    /// Source: PostgreSQL's `src/include/access/xact.h`, `xl_xact_prepare`. 15 has two counts more.
    private enum Prepared {
        static let xid = 8
        static let subtransactionCount = 28
        static func globalIDLength(_ major: Int) -> Int { major >= 15 ? 54 : 46 }
        static func size(_ major: Int) -> Int { major >= 15 ? 72 : 64 }
        /// The global identifier and what follows are aligned, each for itself.
        static func aligned(_ length: UInt16) -> Int { (Int(length) + 7) & ~7 }
    }

    /// What it has below it may have written nothing else, and yet has numbers that must not be given out again.
    private func prepare(_ effects: inout [RecordEffect]) throws(RedoFault) {
        var main = RecordData(record.mainData)
        let xid = try main.load(Prepared.xid, UInt32.self)
        let count = Int(try main.load(Prepared.subtransactionCount, Int32.self))
        let length = try main.load(Prepared.globalIDLength(major), UInt16.self)
        _ = try main.read(Prepared.size(major) + Prepared.aligned(length))
        guard count >= 0, count <= main.count / 4 else { throw RedoFault("it has \(count) subtransactions") }
        effects.append(.xidUsed(xid))
        let list = TransactionList(top: xid, subtransactions: try main.read(count * 4))
        for xid in list.dropFirst() { effects.append(.xidUsed(xid)) }
        effects.append(.transactionPrepared(xid, state: record.mainData))
    }

    private func assignment(_ effects: inout [RecordEffect]) throws(RedoFault) {
        var main = RecordData(record.mainData)
        effects.append(.xidUsed(try main.read(UInt32.self)))
        let transactions = try elements(&main, 1, size: 4)
        let list = TransactionList(top: 0, subtransactions: transactions)
        for xid in list.dropFirst() { effects.append(.xidUsed(xid)) }
    }
}

extension RelationLocator {
    /// - Precondition: Twelve bytes are there.
    init(loading bytes: UnsafeRawBufferPointer, at start: Int) {
        func field(_ index: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + index * 4, as: UInt32.self))
        }
        self.init(tablespace: field(0), database: field(1), relation: field(2))
    }
}
