import Glibc
public import Logging
import ObjectStorage
import PostgresFormat
import ReplicationClient
import Synchronization
public import WALStore

/// Receives the primary's WAL into a store, and tells the primary what is on disk. It connects again for ever.
public final class WALReceiver: Sendable {
    public struct Source: Sendable {
        /// As libpq takes it.
        public let connectionInfo: String
        /// What the primary calls us: for `synchronous_standby_names`.
        public let name: String
        /// Holds WAL on the primary while we are away; made where it is missing.
        public let slot: String
        /// Where the primary was when the slot was made: the beginning of all, where the slot does not tell.
        public var firstPosition: WALStore.Position?

        public init(connectionInfo: String, name: String, slot: String) {
            self.connectionInfo = connectionInfo
            self.name = name
            self.slot = slot
        }
    }

    let source: Source
    let store: WALStore
    let logger: Logger
    /// The primary has removed what was to be compared: nothing is, the next time.
    let comparesNothing = Atomic(false)
    private let current = Mutex(ReceiverStatus())

    public init(source: Source, store: WALStore, logger: Logger) {
        self.source = source
        self.store = store
        self.logger = logger
    }

    public var status: ReceiverStatus { current.withLock { $0 } }
    func update(_ change: (inout ReceiverStatus) -> Void) { current.withLock { change(&$0) } }

    private static let firstPauseMilliseconds = 100
    private static let longestPauseMilliseconds = 5000
    private static let refusalPauseMilliseconds = 30_000

    /// Receives until the task is cancelled, on a thread of its own.
    public func run() async {
        let wakeup = Wakeup()
        await withTaskCancellationHandler {
            await BlockingWork(width: 1).runRegardless { self.receive(wakeup) }
        } onCancel: {
            wakeup.signal()
        }
    }

    private func receive(_ wakeup: Wakeup) {
        var pause = Self.firstPauseMilliseconds
        while !wakeup.wait(milliseconds: 0) {
            update { $0.state = .connecting }
            let connectionsBefore = status.connectionCount
            do {
                try session(wakeup)
                pause = Self.firstPauseMilliseconds
            } catch {
                if status.connectionCount > connectionsBefore { pause = Self.firstPauseMilliseconds }
                pause = note(error, pause)
            }
            update { status in
                status.primary = nil
                status.lag.lose()
            }
            if wakeup.wait(milliseconds: pause) { return }
            pause = min(pause * 2, Self.longestPauseMilliseconds)
        }
    }

    /// - Returns: How long to wait before the next try, in milliseconds.
    private func note(_ error: any Error, _ pause: Int) -> Int {
        let text = "\(error)"
        if error is Refusal || (error as? WALStoreError).map(Self.isRefusal) == true {
            if status.state != .refusing(text) { logger.error("not receiving: \(text)") }
            update { $0.state = .refusing(text) }
            return Self.refusalPauseMilliseconds
        }
        logger.warning("receiving was interrupted: \(text)")
        update { $0.state = .failing(text) }
        return pause
    }

    private static func isRefusal(_ error: WALStoreError) -> Bool {
        switch error {
        case .diverged, .damaged: true
        case .full, .io, .removed: false
        }
    }

    // MARK: - One connection

    /// Receives over one connection until it ends, or `wakeup` is signalled.
    private func session(_ wakeup: Wakeup) throws {
        let connection = try ReplicationConnection(source.connectionInfo, applicationName: source.name)
        let start = try agree(connection)
        var writer = WALWriter(store, start: (start.timeline, start.lsn))
        update { status in
            status.primary = connection.address
            status.connectionCount += 1
        }
        try enter(connection, start, &writer)
        do {
            while try stream(connection, &writer, wakeup) {
                guard let next = try connection.nextTimeline() else {
                    throw ReplicationError(.unavailable, "\(connection.address) has ended the replication")
                }
                logger.info("timeline \(next.timeline) begins at \(next.start)")
                try follow(next.timeline, connection, &writer)
                try connection.startReplication(slot: source.slot, from: writer.written, timeline: next.timeline)
            }
        } catch let error as ReplicationError {
            throw error.isRemovedWAL ? removedWAL(start, writer.written, connection, error) : error
        }
        _ = try? writer.flush()
        try? connection.sendStatus(written: writer.written, flushed: store.position?.flushed ?? .invalid)
    }

    /// Starts the replication: a little before the end of what is here, so that both can be compared.
    private func enter(
        _ connection: borrowing ReplicationConnection, _ start: Start, _ writer: inout WALWriter
    ) throws {
        do {
            try connection.startReplication(slot: source.slot, from: start.compared, timeline: start.timeline)
        } catch {
            throw error.isRemovedWAL ? removedWAL(start, start.lsn, connection, error) : error
        }
        logger.info(
            "receiving",
            metadata: ["primary": "\(connection.address)", "start": "\(start.lsn)", "timeline": "\(start.timeline)"])
        update { status in
            status.state = .streaming
            status.received = start.lsn
        }
    }

    /// Fetches the history of the timeline that follows, and goes over to it.
    func follow(
        _ timeline: TimelineID, _ connection: borrowing ReplicationConnection, _ writer: inout WALWriter
    ) throws {
        let content = try connection.history(of: timeline)
        let history = try TimelineHistory(parsing: content, timeline: timeline)
        guard let end = history.end(of: writer.timeline) else {
            throw Refusal(
                "timeline \(timeline) of the primary does not descend from timeline \(writer.timeline), which is here")
        }
        try writer.begin(timeline, switchLSN: end, history: content)
    }

    /// Unasked, the primary is told at least this often that we are there.
    private static let statusIntervalMilliseconds = 10_000
    /// How long to wait for WAL that the primary has already.
    private static let arrivalMilliseconds = 5
    /// At most so much is written before it is put on disk.
    private static let flushBytes = 4 << 20

    /// A primary that is asked for an answer and has said nothing for so long is gone, whatever the network says.
    private static let silenceMilliseconds = 30_000

    /// - Returns: Whether the timeline has ended; false when `wakeup` was signalled.
    private func stream(
        _ connection: borrowing ReplicationConnection, _ writer: inout WALWriter, _ wakeup: Wakeup
    ) throws -> Bool {
        var lastStatus = milliseconds()
        var lastHeard = lastStatus
        var flushed = store.position?.flushed ?? .invalid
        // As far as it has told on this connection: in a keepalive it says no more than what it has sent.
        var primaryEnd = LSN.invalid
        try connection.sendStatus(written: writer.written, flushed: flushed, wantsReply: true)
        while true {
            var unflushed = 0
            var mustReply = false
            var hasEnded = false
            var hasHeard = false
            receiving: while unflushed < Self.flushBytes {
                let before = writer.written
                switch try connection.receive({ (bytes, start, end) in
                    primaryEnd = max(primaryEnd, end)
                    try self.take(bytes, start, primaryEnd, &writer, connection, wakeup)
                }) {
                case .wal:
                    hasHeard = true
                    unflushed += Int(writer.written.rawValue - before.rawValue)
                case .keepalive(let end, let wantsReply):
                    hasHeard = true
                    primaryEnd = max(primaryEnd, end)
                    mustReply = mustReply || wantsReply
                case .nothing:
                    // The primary has more, which is on its way: a flush now would hold that up.
                    guard unflushed > 0, primaryEnd > writer.written,
                        try connection.wait(milliseconds: Self.arrivalMilliseconds, wakeup: wakeup.file)
                    else { break receiving }
                case .endOfTimeline:
                    hasEnded = true
                    break receiving
                }
            }
            let isLevel = writer.written >= primaryEnd
            if hasHeard {
                let received = writer.written
                update { status in
                    status.received = received
                    status.primaryEnd = primaryEnd
                    status.lastMessage = wallClock()
                    status.lag.note(isLevel: isLevel && unflushed == 0)
                }
            }
            if unflushed > 0 || hasEnded {
                let began = microseconds()
                flushed = try writer.flush()
                let took = microseconds() - began
                update { status in
                    status.flushes.add(microseconds: took)
                    if isLevel { status.lag.note(isLevel: true) }
                }
                mustReply = true
            }
            if hasEnded { return true }
            let now = milliseconds()
            if hasHeard { lastHeard = now }
            guard now - lastHeard < Self.silenceMilliseconds else {
                throw ReplicationError(
                    .unavailable, "\(connection.address) has said nothing for \(Self.silenceMilliseconds / 1000) s")
            }
            let isDue = now - lastStatus >= Self.statusIntervalMilliseconds
            if mustReply || isDue {
                // A primary that is idle says nothing by itself: asked, it shows that it is there.
                try connection.sendStatus(written: writer.written, flushed: flushed, wantsReply: isDue)
                lastStatus = now
            }
            if unflushed < Self.flushBytes {
                let left = Self.statusIntervalMilliseconds - (milliseconds() - lastStatus)
                try connection.wait(milliseconds: max(0, left), wakeup: wakeup.file)
            }
            if wakeup.wait(milliseconds: 0) { return false }
        }
    }

    private static let fullDiskPauseMilliseconds = 1000

    /// Takes WAL that has arrived: compares what is here already, and writes the rest. While the disk is full it waits.
    private func take(
        _ bytes: UnsafeRawBufferPointer, _ start: LSN, _ primaryEnd: LSN, _ writer: inout WALWriter,
        _ connection: borrowing ReplicationConnection, _ wakeup: Wakeup
    ) throws {
        guard start <= writer.written else {
            throw ReplicationError(
                .garbled, "\(connection.address) goes on at \(start), and what is here ends at \(writer.written)")
        }
        guard try writer.agrees(bytes, at: start) else {
            throw Refusal(
                "\(connection.address) has other WAL at \(start) than what was received before: it is not the same "
                    + "cluster any more, or was restored from a backup. Let the safekeeper follow a server that has "
                    + "\(writer.written), or begin anew in an empty directory")
        }
        let known = Int(writer.written.rawValue - start.rawValue)
        guard known < bytes.count else { return }
        var rest = UnsafeRawBufferPointer(rebasing: bytes[known...])
        while !rest.isEmpty {
            let before = writer.written
            do {
                try writer.append(rest)
                rest = UnsafeRawBufferPointer(rebasing: rest[rest.count...])
            } catch WALStoreError.full(let action) {
                rest = UnsafeRawBufferPointer(rebasing: rest[Int(writer.written.rawValue - before.rawValue)...])
                try waitForSpace(action, primaryEnd, &writer, connection, wakeup)
            }
        }
    }

    private func waitForSpace(
        _ action: String, _ primaryEnd: LSN, _ writer: inout WALWriter,
        _ connection: borrowing ReplicationConnection, _ wakeup: Wakeup
    ) throws {
        if status.state != .diskFull {
            logger.error("\(action): the disk is full; nothing is acknowledged until there is space")
        }
        update { status in
            status.state = .diskFull
            status.primaryEnd = primaryEnd
            status.lag.note(isLevel: false)
        }
        try connection.sendStatus(written: writer.written, flushed: store.position?.flushed ?? .invalid)
        guard !wakeup.wait(milliseconds: Self.fullDiskPauseMilliseconds) else {
            throw ReplicationError(.unavailable, "stopped while the disk was full")
        }
        update { $0.state = .streaming }
    }

    private func milliseconds() -> Int { microseconds() / 1000 }
}

/// Monotonic.
private func microseconds() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// Seconds since 1970.
private func wallClock() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
