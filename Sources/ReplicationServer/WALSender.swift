import Logging
import NIOCore
import NIOPosix
import PostgresFormat
import Synchronization

/// Sends WAL to one consumer, from a position on and along one timeline.
final class WALSender: Sendable {
    /// Why it stopped.
    enum End {
        /// It was cancelled, or the connection is gone.
        case stopped
        /// The timeline ended, all of it is sent, and CopyDone after it.
        case ended(next: TimelineID, switchLSN: LSN)
        /// The consumer has been told an error, and that it may give the next command.
        case failed
    }

    /// PostgreSQL's `MAX_SEND_SIZE`: 16 pages.
    static let messageSize = 16 * 8192

    private let source: any WALSource
    private let channel: any Channel
    private let threads: NIOThreadPool
    private let consumer: ConsumerState
    private let timeline: TimelineID
    private let logger: Logger
    private let window = SendWindow()
    private let onFailure: @Sendable () -> Void
    private let failure = Atomic<Bool>(false)

    /// - Parameter onFailure: Called before the consumer learns of a failure, so that what it held is free for its next
    ///   command.
    init(
        source: any WALSource, channel: any Channel, threads: NIOThreadPool, consumer: ConsumerState,
        timeline: TimelineID, logger: Logger, onFailure: @escaping @Sendable () -> Void
    ) {
        self.source = source
        self.channel = channel
        self.threads = threads
        self.consumer = consumer
        self.timeline = timeline
        self.logger = logger
        self.onFailure = onFailure
    }

    /// The consumer is not copying any more: an error ended it.
    var hasFailed: Bool { failure.load(ordering: .acquiring) }

    /// Sends from `start` on until the timeline ends or the task is cancelled.
    func run(from start: LSN) async -> End {
        do {
            return try await stream(from: start)
        } catch is CancellationError {
            return .stopped
        } catch {
            guard channel.isActive, !Task.isCancelled else { return .stopped }
            logger.warning("sending WAL failed", metadata: ["error": "\(error)", "timeline": "\(timeline)"])
            var message = ByteBuffer()
            message.writeError(Self.told(error))
            message.writeReadyForQuery()
            onFailure()
            failure.store(true, ordering: .releasing)
            try? await channel.writeAndFlush(message).get()
            return .failed
        }
    }

    private func stream(from start: LSN) async throws -> End {
        var sent = start
        var file: WALSegmentFile?
        var end: (next: TimelineID, switchLSN: LSN)?
        while !Task.isCancelled {
            let position = source.position()
            if end == nil, position.timeline != timeline {
                switch try await source.status(of: timeline) {
                case .current: continue  // it became the newest between the two questions
                case .ended(let next, let switchLSN): end = (next, switchLSN)
                case .unknown: throw ServerError.notInHistory(timeline)
                }
            }
            let limit = end?.switchLSN ?? position.flushedLSN
            if sent < limit {
                consumer.caughtUp(false)
                let segment = WALSegment(timeline: timeline, holding: sent, size: source.identity.segmentSize)
                let open: WALSegmentFile
                if let file, file.segment.number == segment.number {
                    open = file
                } else {
                    open = try await openSegment(segment)
                    file = open
                }
                sent = try await send(open, from: sent, to: min(limit, segment.endLSN), walEnd: limit)
            } else if let end {
                try await sendCopyDone()
                return .ended(next: end.next, switchLSN: end.switchLSN)
            } else {
                consumer.caughtUp(true)
                try await source.waitForWAL(beyond: sent, timeline: timeline)
            }
        }
        return .stopped
    }

    private func openSegment(_ segment: WALSegment) async throws -> WALSegmentFile {
        do {
            return try await source.openSegment(segment)
        } catch let error as WALSourceError where error == .removed {
            throw ServerError.error(
                "58P01", "requested WAL segment \(segment.fileName) has already been removed")
        }
    }

    private func sendCopyDone() async throws {
        var message = ByteBuffer()
        message.writeCopyDone()
        try await channel.writeAndFlush(message).get()
    }

    /// Sends as many messages as there are buffers free, from one file. Returns the end of what was sent.
    private func send(_ file: WALSegmentFile, from start: LSN, to end: LSN, walEnd: LSN) async throws -> LSN {
        let buffers = try await window.take()
        let (channel, window, consumer) = (channel, window, consumer)
        do {
            return try await threads.runIfActive {
                var lsn = start
                var unused = buffers[...]
                defer { for buffer in unused { window.give(buffer) } }
                while lsn < end, let buffer = unused.first {
                    let count = Self.messageCount(from: lsn, to: end)
                    buffer.bytes.clear(minimumCapacity: ByteBuffer.walHeaderSize + count)
                    buffer.bytes.writeWALHeader(from: lsn, count: count, endLSN: walEnd)
                    try buffer.bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
                        try file.read(from: lsn, into: UnsafeMutableRawBufferPointer(rebasing: space[..<count]))
                        return count
                    }
                    unused.removeFirst()
                    lsn.rawValue += UInt64(count)
                    consumer.sent(upTo: lsn)
                    let written = channel.eventLoop.makePromise(of: Void.self)
                    written.futureResult.whenComplete { _ in window.give(buffer) }
                    channel.writeAndFlush(buffer.bytes, promise: written)
                }
                return lsn
            }
        }
    }

    /// How much goes into the message that begins at `lsn`: up to a page's end, where more is to come, as PostgreSQL
    /// cuts it.
    private static func messageCount(from lsn: LSN, to end: LSN) -> Int {
        let limit = lsn.rawValue + UInt64(messageSize)
        guard end.rawValue > limit else { return Int(end.rawValue - lsn.rawValue) }
        return Int(limit - limit % 8192 - lsn.rawValue)
    }

    /// What the client may know of an error.
    static func told(_ error: any Error) -> ServerError {
        switch error {
        case let error as ServerError: error
        case WALSourceError.unavailable(let text): .error("58030", text)
        case let error as SegmentReadError: .error("58030", "\(error)")
        default: .error("XX000", "internal error; the server's log tells more")
        }
    }
}

extension ServerError {
    static func notInHistory(_ timeline: TimelineID) -> ServerError {
        .error("XX000", "requested timeline \(timeline) is not in this server's history")
    }
}
