import Glibc
import PostgresFormat
import ReplicationServer
import WALStore

/// How a safekeeper is: positions in PostgreSQL's notation, as `status` prints them and metrics are made of.
public struct SafekeeperStatus: Codable, Sendable {
    public struct Consumer: Codable, Sendable {
        public let name: String
        public let address: String
        public let state: String
        public let slot: String?
        public let sent: String?
        public let flushed: String?
    }

    /// How many flushes took at most so long, and longer than the bucket before allows; the last one has no bound.
    public struct FlushBucket: Codable, Sendable {
        public let upToMicroseconds: Int?
        public let count: Int
    }

    /// All that `state` can be.
    public static let states = ["connecting", "streaming", "disk full", "failing", "refusing"]

    /// `connecting`, `streaming`, `disk full`, `failing` or `refusing`.
    public let state: String
    /// Why it is failing or refusing.
    public let reason: String?
    public let primary: String?
    public let timeline: UInt32?
    /// Behind the last byte received, and the last whole record on disk.
    public let received: String
    public let flushed: String?
    /// The primary's own end of WAL, as far as it has told.
    public let primaryEnd: String
    /// How many bytes the primary is ahead.
    public let lagBytes: UInt64
    /// For how long the primary has had WAL that is not on disk here: 0 while nothing is missing. Without a connection
    /// it counts from the last message that found nothing missing, or from the start of the safekeeper.
    public let lagSeconds: Double
    /// How often there was a connection to the primary.
    public let primaryConnections: Int
    /// Seconds since 1970 when something was last heard from the primary.
    public let lastMessage: Double
    public let offloaded: String?
    /// At most so much of the WAL on disk is not in storage; absent where there is no storage.
    public let offloadLagBytes: UInt64?
    public let offloadFailures: Int
    public let offloadError: String?
    /// Page indexes: WAL waits for none.
    public let indexFailures: Int
    public let indexError: String?
    public let flushCount: Int
    public let flushMicroseconds: Int
    public let flushBuckets: [FlushBucket]
    public let diskFreeBytes: Int
    /// What the segments take that are here.
    public let localWALBytes: Int
    /// Where each slot holds WAL from.
    public let slots: [String: String]
    public let consumers: [Consumer]

    init(
        receiver: ReceiverStatus, position: WALStore.Position?, offload: OffloadStatus?, indexing: IndexStatus,
        slots: [String: WALSlot], consumers: [ReplicationConsumer], segments: [WALSegment], segmentSize: Int,
        diskFreeBytes: Int
    ) {
        (state, reason) =
            switch receiver.state {
            case .connecting: ("connecting", nil)
            case .streaming: ("streaming", nil)
            case .diskFull: ("disk full", nil)
            case .failing(let reason): ("failing", reason)
            case .refusing(let reason): ("refusing", reason)
            }
        primary = receiver.primary
        timeline = position?.timeline
        received = receiver.received.description
        flushed = position?.flushed.description
        primaryEnd = receiver.primaryEnd.description
        let end = position?.flushed ?? receiver.received
        lagBytes = receiver.primaryEnd > end ? receiver.primaryEnd.rawValue - end.rawValue : 0
        lagSeconds = receiver.lag.duration / .seconds(1)
        primaryConnections = receiver.connectionCount
        lastMessage = receiver.lastMessage
        offloaded = offload.map(\.offloaded.description)
        offloadLagBytes = offload.map { offload in
            // What was removed here is in storage.
            let stored = max(offload.offloaded, segments.map(\.startLSN).min() ?? end)
            return end > stored ? end.rawValue - stored.rawValue : 0
        }
        offloadFailures = offload?.failureCount ?? 0
        offloadError = offload?.lastError
        indexFailures = indexing.failureCount
        indexError = indexing.lastError
        flushCount = receiver.flushes.count
        flushMicroseconds = receiver.flushes.sumMicroseconds
        flushBuckets = zip(FlushHistogram.bounds.map(Optional.some) + [nil], receiver.flushes.counts).map {
            FlushBucket(upToMicroseconds: $0, count: $1)
        }
        self.diskFreeBytes = diskFreeBytes
        localWALBytes = segments.count * segmentSize
        self.slots = slots.mapValues { $0.restartLSN?.description ?? "" }
        self.consumers = consumers.map { consumer in
            Consumer(
                name: consumer.applicationName, address: consumer.address, state: consumer.state.rawValue,
                slot: consumer.slot, sent: consumer.sentLSN?.description, flushed: consumer.flushedLSN?.description)
        }
    }
}

/// What an ordinary user may still write to a directory's file system; 0 where that cannot be told.
func freeBytes(_ path: String) -> Int {
    var information = statvfs()
    guard statvfs(path, &information) == 0 else { return 0 }
    return Int(information.f_bavail) * Int(information.f_frsize)
}
