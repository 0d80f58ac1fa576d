public import PostgresFormat
public import WALRedo

/// What WAL says of the control file: the last checkpoint, settings, and the numbers that a server which goes on from
/// here gives out next.
///
/// Source: PostgreSQL's `src/backend/access/transam/xlog.c`, `xlog_redo` and `RecoveryRestartPoint`; `varsup.c`,
/// `multixact.c` and `commit_ts.c` for what is only ever moved ahead.
public struct ControlValues: Hashable, Sendable {
    /// What a checkpoint here would say of numbers and their limits; its place and time are of no meaning.
    public private(set) var next: CheckpointCopy
    /// The last checkpoint's record, and what it says.
    public private(set) var checkpoint: LSN
    public private(set) var checkpointCopy: CheckpointCopy
    public private(set) var parameters: WALParameters
    public private(set) var timeline: TimelineID
    /// Behind the last record.
    public internal(set) var end: LSN

    public init(_ control: ControlFile) {
        next = control.checkpointCopy
        checkpoint = control.checkpoint
        checkpointCopy = control.checkpointCopy
        parameters = WALParameters(control)
        timeline = control.checkpointCopy.thisTimeLineID
        end = control.checkpointCopy.redo
        if parameters.tracksCommitTimestamps { trackCommitTimestamps() }
    }

    /// - Parameter record: The one that has this effect.
    mutating func apply(_ effect: RecordEffect, of record: WALRecord) {
        switch effect {
        case .xidUsed(let xid): advance(past: xid)
        case .multixactUsed(let multixact, let nextOffset): advanceMulti(to: multixact &+ 1, nextOffset)
        case .oldestMultixact(let oldest, let database): (next.oldestMulti, next.oldestMultiDB) = (oldest, database)
        case .newestCommitTimestamp(let xid):
            guard parameters.tracksCommitTimestamps else { return }
            if Self.precedes(next.newestCommitTsXid, xid) { next.newestCommitTsXid = xid }
        case .oldestCommitTimestamp(let xid):
            guard next.oldestCommitTsXid != 0, Self.precedes(next.oldestCommitTsXid, xid) else { return }
            next.oldestCommitTsXid = xid
        // Exactly that: these numbers go round.
        case .nextOID(let oid): next.nextOid = oid
        case .checkpoint(let copy, let isShutdown): take(copy, isShutdown, at: record.startLSN)
        case .parametersChanged(let new): take(new)
        case .fullPageWritesChanged(let isOn): next.fullPageWrites = isOn
        case .recoveryEnded(let timeline, _): self.timeline = timeline
        default: break
        }
    }

    // MARK: - Numbers that go round

    /// Transactions 0 to 2 are of special meaning, and precede all others.
    private static func precedes(_ one: UInt32, _ other: UInt32) -> Bool {
        guard one >= firstXid, other >= firstXid else { return one < other }
        return isBefore(one, other)
    }

    private static let firstXid: UInt32 = 3

    private static func isBefore(_ one: UInt32, _ other: UInt32) -> Bool { Int32(bitPattern: one &- other) < 0 }

    /// The next transaction's number, without its epoch.
    private var nextXid: UInt32 { UInt32(truncatingIfNeeded: next.nextXid) }

    private mutating func advance(past xid: UInt32) {
        guard !Self.precedes(xid, nextXid) else { return }
        let following = max(xid &+ 1, Self.firstXid)
        let epoch = (next.nextXid >> 32) + (following < nextXid ? 1 : 0)
        next.nextXid = epoch << 32 | UInt64(following)
    }

    private mutating func advanceMulti(to multixact: UInt32, _ offset: UInt32) {
        if Self.isBefore(next.nextMulti, multixact) { next.nextMulti = multixact }
        if Self.isBefore(next.nextMultiOffset, offset) { next.nextMultiOffset = offset }
    }

    // MARK: - Checkpoints and settings

    private mutating func take(_ copy: CheckpointCopy, _ isShutdown: Bool, at lsn: LSN) {
        (checkpoint, checkpointCopy) = (lsn, copy)
        if Self.isBefore(next.oldestMulti, copy.oldestMulti) {
            (next.oldestMulti, next.oldestMultiDB) = (copy.oldestMulti, copy.oldestMultiDB)
        }
        if isShutdown || Self.precedes(next.oldestXid, copy.oldestXid) {
            (next.oldestXid, next.oldestXidDB) = (copy.oldestXid, copy.oldestXidDB)
        }
        if isShutdown {
            timeline = copy.thisTimeLineID
            (next.nextXid, next.nextOid) = (copy.nextXid, copy.nextOid)
            (next.nextMulti, next.nextMultiOffset) = (copy.nextMulti, copy.nextMultiOffset)
        } else {
            // As of when it began. Its next object is older than what records say.
            next.nextXid = max(next.nextXid, copy.nextXid)
            advanceMulti(to: copy.nextMulti, copy.nextMultiOffset)
        }
    }

    private mutating func take(_ new: WALParameters) {
        if new.tracksCommitTimestamps {
            trackCommitTimestamps()
        } else if parameters.tracksCommitTimestamps {
            (next.oldestCommitTsXid, next.newestCommitTsXid) = (0, 0)
        }
        parameters = new
    }

    private mutating func trackCommitTimestamps() {
        if next.oldestCommitTsXid == 0 { (next.oldestCommitTsXid, next.newestCommitTsXid) = (nextXid, nextXid) }
    }

    // MARK: - Beside what a server says

    private static let objectsLoggedAtOnce: UInt32 = 8192

    /// What the checkpoint of a server's shutdown says that the records before it exclude.
    ///
    /// Records tell no less than what was given out: what was in use and never written may be given out again after a
    /// crash, and limits move ahead unsaid.
    func contradictions(of copy: CheckpointCopy) -> [String] {
        var found: [String] = []
        func note(_ isWrong: Bool, _ name: String, _ here: some CustomStringConvertible, _ there: some Any) {
            if isWrong { found.append("\(name) is \(there), and \(here) follows from the records before") }
        }
        note(next.nextXid < copy.nextXid, "the next transaction", next.nextXid, copy.nextXid)
        let unusedObjects = next.nextOid &- copy.nextOid
        note(unusedObjects > Self.objectsLoggedAtOnce, "the next object", next.nextOid, copy.nextOid)
        note(Self.isBefore(next.nextMulti, copy.nextMulti), "the next multixact", next.nextMulti, copy.nextMulti)
        note(
            Self.isBefore(next.nextMultiOffset, copy.nextMultiOffset), "the next multixact's offset",
            next.nextMultiOffset, copy.nextMultiOffset)
        note(
            Self.precedes(copy.oldestXid, next.oldestXid), "the oldest transaction", next.oldestXid, copy.oldestXid)
        note(
            Self.isBefore(copy.oldestMulti, next.oldestMulti), "the oldest multixact", next.oldestMulti,
            copy.oldestMulti)
        note(
            Self.precedes(next.newestCommitTsXid, copy.newestCommitTsXid), "the newest transaction with a timestamp",
            next.newestCommitTsXid, copy.newestCommitTsXid)
        return found
    }
}
