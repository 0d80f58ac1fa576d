public import PostgresFormat

/// Where the WAL that a `ReplicationServer` sends comes from.
///
/// Methods are called from many connections at the same time. Those that are `async` may take long and must not block
/// the thread; the others are called often and answer from memory.
public protocol WALSource: Sendable {
    /// What the server says of the cluster. Does not change while the server runs.
    var identity: WALIdentity { get }

    /// The newest timeline and its durable end. What lies below is never taken back.
    func position() -> WALPosition

    /// Returns when the newest timeline is another than `timeline`, or its durable end is beyond `lsn`.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    func waitForWAL(beyond lsn: LSN, timeline: TimelineID) async throws

    /// What became of a timeline.
    func status(of timeline: TimelineID) async throws -> TimelineStatus

    /// The content of a timeline's history file; nil where there is none, as for timeline 1.
    func history(of timeline: TimelineID) async throws -> [UInt8]?

    /// The segment file that holds the WAL of a timeline, fetched back from storage where needed.
    ///
    /// The server asks for a segment only where its first byte to read is below the durable end (or the end of that
    /// timeline), and reads nothing beyond. In the segment in which a timeline ended, the file of the following one
    /// serves as well.
    ///
    /// - Throws: `WALSourceError.removed` when nobody has it any more.
    func openSegment(_ segment: WALSegment) async throws -> WALSegmentFile

    /// Makes a physical slot. The server has checked the name.
    ///
    /// - Parameters:
    ///   - isTemporary: The slot goes with the connection, which drops it; it need not survive a crash.
    ///   - reservesWAL: WAL is kept for it from now on, not from its first use on.
    /// - Throws: `WALSourceError.slotExists`, or `.tooManySlots`.
    func createSlot(_ name: String, isTemporary: Bool, reservesWAL: Bool) async throws

    /// The slot of this name; nil when there is none.
    func slot(_ name: String) async throws -> WALSlot?

    /// Removes a slot. The server has made sure that no connection uses it.
    ///
    /// - Throws: `WALSourceError.noSuchSlot`.
    func dropSlot(_ name: String) async throws

    /// The consumer that uses a slot has everything below `flushedLSN` on disk. Called at each of its status updates;
    /// the position may be any number, also a lower one than before, since the consumer says it.
    func confirm(slot name: String, flushedLSN: LSN)
}

/// What a server says of its cluster.
public struct WALIdentity: Sendable, Hashable {
    public var systemIdentifier: UInt64
    /// In bytes.
    public var segmentSize: Int
    /// As PostgreSQL's `server_version` shows it, such as `15.14` or `16.4 (Debian 16.4-1)`. Clients take the major
    /// version from its beginning.
    public var serverVersion: String
    /// As `server_version_num`: 150014.
    public var serverVersionNumber: Int
    /// The mode that clients give to files that they write: true adds the group's right to read (`initdb -g`).
    public var allowsGroupAccess: Bool

    public init(
        systemIdentifier: UInt64, segmentSize: Int, serverVersion: String, serverVersionNumber: Int,
        allowsGroupAccess: Bool = false
    ) {
        self.systemIdentifier = systemIdentifier
        self.segmentSize = segmentSize
        self.serverVersion = serverVersion
        self.serverVersionNumber = serverVersionNumber
        self.allowsGroupAccess = allowsGroupAccess
    }
}

/// How far the WAL goes.
public struct WALPosition: Sendable, Hashable {
    public var timeline: TimelineID
    /// Behind the last byte that is durable.
    public var flushedLSN: LSN

    public init(timeline: TimelineID, flushedLSN: LSN) {
        self.timeline = timeline
        self.flushedLSN = flushedLSN
    }
}

/// What became of a timeline.
public enum TimelineStatus: Sendable, Hashable {
    /// It is the newest.
    case current
    /// The history of the newest timeline left it at `switchLSN`, for `next`.
    case ended(next: TimelineID, switchLSN: LSN)
    /// It is not in the history of the newest timeline.
    case unknown
}

/// A physical replication slot.
public struct WALSlot: Sendable, Hashable {
    /// WAL is kept from here; nil while the slot keeps none.
    public var restartLSN: LSN?
    /// The timeline of `restartLSN`.
    public var restartTimeline: TimelineID?

    public init(restartLSN: LSN? = nil, restartTimeline: TimelineID? = nil) {
        self.restartLSN = restartLSN
        self.restartTimeline = restartTimeline
    }
}

/// What a source cannot do. Any other error that it throws is logged, and told to the client without its text.
public enum WALSourceError: Error, Sendable, Hashable {
    /// The WAL is gone, here and in storage.
    case removed
    /// The WAL cannot be had now; the text says why, and goes to the client.
    case unavailable(String)
    case slotExists
    case noSuchSlot
    case tooManySlots
}
