import Logging
import NIOCore
import NIOPosix
import PostgresFormat

/// What all connections of a server share.
struct ServerContext: Sendable {
    let configuration: ReplicationServerConfiguration
    let source: any WALSource
    let registry: ConnectionRegistry
    let threads: NIOThreadPool
    let logger: Logger
}

/// A connection that was accepted, before its task starts.
struct AcceptedConnection: Sendable {
    let channel: any Channel
    let mailbox: FrontendMailbox
    let consumer: ConsumerState
    /// Those that count when it was accepted.
    let credentials: ServerCredentials
    /// One too many: it is told so, and that is all.
    let isRefused: Bool
}

/// One client, from its first byte to its last: a task that takes its messages in order.
///
/// While it copies WAL, a `WALSender` sends beside the task, which takes the consumer's status updates then.
final class Connection {
    /// A copy that goes on, or whose end the client has not acknowledged.
    private struct Copy {
        let sender: WALSender
        let task: Task<WALSender.End, Never>
        let timer: RepeatedTask
        let slot: String?
    }

    let context: ServerContext
    let channel: any Channel
    let consumer: ConsumerState
    let credentials: ServerCredentials
    var logger: Logger
    /// Temporary slots that go with the connection.
    var temporarySlots: Set<String> = []
    private let mailbox: FrontendMailbox
    private let isRefused: Bool
    private var copy: Copy?
    /// After an error in the extended protocol everything is passed over until Sync.
    private var skipsToSync = false

    init(_ accepted: AcceptedConnection, context: ServerContext) {
        self.context = context
        channel = accepted.channel
        consumer = accepted.consumer
        mailbox = accepted.mailbox
        credentials = accepted.credentials
        isRefused = accepted.isRefused
        logger = context.logger
        logger[metadataKey: "connection"] = "\(consumer.id)"
        logger[metadataKey: "client"] = "\(consumer.consumer.address)"
    }

    /// Serves the client until the connection ends, for whatever reason.
    func run() async {
        do {
            let channel = channel
            let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(context.configuration.startupTimeout)) {
                channel.close(promise: nil)
            }
            defer { deadline.cancel() }
            try await startUp()
            deadline.cancel()
            while let message = try await next() {
                guard try await handle(message) else { break }
            }
        } catch let error as ServerError {
            logger.info("connection ended", metadata: ["error": "\(error)"])
            var message = ByteBuffer()
            message.writeError(error)
            await farewell(message)
        } catch {
            logger.debug("connection lost", metadata: ["error": "\(error)"])
        }
        await tidyUp()
    }

    /// The next message; nil when the client is gone.
    func next() async throws(ServerError) -> (type: UInt8, body: ByteBuffer)? {
        switch await mailbox.next(readingFrom: channel) {
        case .message(let type, let body): return (type, body)
        case .violation(let error): throw error
        case .startup, .encryptionRequest, .gssRequest, .cancelRequest, nil: return nil
        }
    }

    /// Sends, and waits until it is on its way: who does not read is not answered further.
    func send(_ message: ByteBuffer) async throws {
        try await channel.writeAndFlush(message).get()
    }

    /// The last words, to a client that may not be listening.
    private func farewell(_ message: ByteBuffer) async {
        let channel = channel
        let limit = channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
        try? await send(message)
        limit.cancel()
    }

    private func tidyUp() async {
        if let copy {
            self.copy = nil
            copy.timer.cancel()
            copy.task.cancel()
            _ = await copy.task.value
        }
        for name in temporarySlots {
            do { try await context.source.dropSlot(name) } catch {
                logger.warning("dropping a temporary slot failed", metadata: ["slot": "\(name)", "error": "\(error)"])
            }
        }
        try? await channel.close().get()
        mailbox.finish()
        context.registry.remove(consumer.id)
    }

    // MARK: Start-up

    private func startUp() async throws {
        guard case .startup(let packet)? = try await firstMessage() else { throw ChannelError.eof }
        if isRefused { throw ServerError.fatal("53300", "sorry, too many clients already") }
        let user = try packet.checkedUser()
        if packet.minorVersion > 0 || !packet.extensions.isEmpty {
            var message = ByteBuffer()
            message.writeNegotiateProtocolVersion(unknown: packet.extensions)
            try await send(message)
        }
        try await authenticate(user: user)
        consumer.authenticated(user: user, applicationName: packet.applicationName)
        logger[metadataKey: "user"] = "\(printable(user))"
        logger.debug("connected", metadata: ["application": "\(packet.applicationName)"])
        var message = ByteBuffer()
        message.writeAuthenticationOk()
        for (name, value) in reportedParameters(user: user, applicationName: packet.applicationName) {
            message.writeParameterStatus(name, value)
        }
        message.writeBackendKeyData(process: consumer.id, secret: .random(in: .min ... .max))
        message.writeReadyForQuery()
        try await send(message)
    }

    private func firstMessage() async throws(ServerError) -> FrontendMessage? {
        let message = await mailbox.next(readingFrom: channel)
        if case .violation(let error) = message { throw error }
        return message
    }

    // MARK: Messages

    /// False when the client has said good-bye.
    private func handle(_ message: (type: UInt8, body: ByteBuffer)) async throws -> Bool {
        if message.type == UInt8(ascii: "X") { return false }
        if let copy, copy.sender.hasFailed { await endCopy(copy) }
        if let copy {
            try await handle(message, during: copy)
            return true
        }
        if skipsToSync, message.type != UInt8(ascii: "S") { return true }
        switch message.type {
        case UInt8(ascii: "Q"): try await query(message.body)
        case UInt8(ascii: "S"):
            skipsToSync = false
            var answer = ByteBuffer()
            answer.writeReadyForQuery()
            try await send(answer)
        case UInt8(ascii: "d"), UInt8(ascii: "c"), UInt8(ascii: "f"), UInt8(ascii: "H"):
            // The rest of a copy that an error has ended, which the client may not have known when it sent this.
            break
        case UInt8(ascii: "F"):
            try await answer(Self.noExtendedProtocol)
        case UInt8(ascii: "p"): throw ServerError.violation("unexpected password message")
        default:
            skipsToSync = true
            var answer = ByteBuffer()
            answer.writeError(Self.noExtendedProtocol)
            try await send(answer)
        }
        return true
    }

    private static let noExtendedProtocol = ServerError.error(
        "08P01", "extended query protocol not supported in a replication connection")

    /// Tells of a command's failure, and that the next may come.
    private func answer(_ error: ServerError) async throws {
        var message = ByteBuffer()
        message.writeError(error)
        message.writeReadyForQuery()
        try await send(message)
    }

    private func query(_ body: ByteBuffer) async throws {
        var body = body
        guard let text = body.readBytes(length: body.readableBytes), text.last == 0, !text.dropLast().contains(0) else {
            throw ServerError.violation("invalid string in message")
        }
        do {
            guard let command = try ReplicationCommand.parse(text.dropLast()) else {
                var message = ByteBuffer()
                message.writeEmptyQueryResponse()
                message.writeReadyForQuery()
                return try await send(message)
            }
            logger.debug("replication command", metadata: ["command": "\(command)"])
            if case .start(let slot, let lsn, let timeline) = command {
                try await start(slot: slot, at: lsn, timeline: timeline)
            } else {
                var message = try await result(of: command)
                message.writeReadyForQuery()
                try await send(message)
            }
        } catch let error as ServerError where error.severity == .error {
            try await answer(error)
        } catch let error as WALSourceError {
            try await answer(WALSender.told(error))
        } catch let error where !channel.isActive || error is ServerError {
            throw error
        } catch {
            logger.warning("command failed", metadata: ["error": "\(error)"])
            try await answer(WALSender.told(error))
        }
    }

    // MARK: Copying

    private func start(slot: String?, at lsn: LSN, timeline requested: TimelineID?) async throws {
        let position = context.source.position()
        let timeline = requested ?? position.timeline
        let ended = try await checkStart(lsn, timeline: timeline, position: position)
        if let slot { try await acquire(slot) }
        if let ended, lsn == ended.switchLSN {
            // Nothing of that timeline is left to send: the answer is where it goes on, as in PostgreSQL.
            if let slot { context.registry.releaseSlot(slot, by: consumer.id) }
            return try await send(endOfCopy(next: ended))
        }
        var message = ByteBuffer()
        message.writeCopyBothResponse()
        consumer.startStreaming(at: lsn, slot: slot)
        try await send(message)

        let (consumer, registry) = (consumer, context.registry)
        let release: @Sendable () -> Void = {
            if let slot { registry.releaseSlot(slot, by: consumer.id) }
            consumer.endStreaming()
        }
        let sender = WALSender(
            source: context.source, channel: channel, threads: context.threads, consumer: consumer,
            timeline: timeline, logger: logger, onFailure: release)
        copy = Copy(sender: sender, task: Task { await sender.run(from: lsn) }, timer: startTimer(), slot: slot)
    }

    private func handle(_ message: (type: UInt8, body: ByteBuffer), during copy: Copy) async throws {
        switch message.type {
        case UInt8(ascii: "d"):
            let status = try StandbyStatus.parse(message.body)
            consumer.heard(status)
            guard let status else { return }
            if let slot = copy.slot, let flushed = status.flushedLSN {
                context.source.confirm(slot: slot, flushedLSN: flushed)
            }
            if status.requestsReply {
                var answer = ByteBuffer()
                answer.writeKeepalive(sentLSN: consumer.sentLSN, requestsReply: false)
                try await send(answer)
            }
        case UInt8(ascii: "c"):
            var message = ByteBuffer()
            switch await endCopy(copy) {
            case .failed: return
            case .stopped:
                message.writeCopyDone()
                message.writeImmutableBuffer(endOfCopy(next: nil))
            case .ended(let next, let switchLSN): message = endOfCopy(next: (next, switchLSN))
            }
            try await send(message)
        case UInt8(ascii: "f"):
            if case .failed = await endCopy(copy) { return }
            try await answer(.error("57014", "COPY from stdin failed"))
        case UInt8(ascii: "H"), UInt8(ascii: "S"):
            break  // the protocol allows both during a copy
        default:
            throw ServerError.violation(
                "invalid standby message type \"\(printable(String(UnicodeScalar(message.type))))\"")
        }
    }

    /// Stops the sender and frees what the copy held. Whole messages only are on their way then.
    @discardableResult
    private func endCopy(_ copy: Copy) async -> WALSender.End {
        self.copy = nil
        copy.timer.cancel()
        copy.task.cancel()
        let end = await copy.task.value
        if let slot = copy.slot { context.registry.releaseSlot(slot, by: consumer.id) }
        consumer.endStreaming()
        return end
    }

    /// Where the WAL goes on, if that is what ended the copy, and the end of the command.
    private func endOfCopy(next: (next: TimelineID, switchLSN: LSN)?) -> ByteBuffer {
        var message = ByteBuffer()
        if let next {
            message.writeResult(
                [.int8("next_tli"), .text("next_tli_startpos")],
                [Array("\(next.next)".utf8), Array("\(next.switchLSN)".utf8)], tag: "START_STREAMING")
        } else {
            message.writeCommandComplete("START_STREAMING")
        }
        message.writeReadyForQuery()
        return message
    }

    /// Asks a silent consumer for a word, and disconnects it when none comes.
    private func startTimer() -> RepeatedTask {
        let timeout = context.configuration.senderTimeout
        let interval = max(TimeAmount(timeout / 12), .milliseconds(5))
        let (channel, consumer, logger) = (channel, consumer, logger)
        return channel.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { task in
            switch consumer.patience(timeout: timeout) {
            case .enough: break
            case .asks:
                var message = ByteBuffer()
                message.writeKeepalive(sentLSN: consumer.sentLSN, requestsReply: true)
                channel.writeAndFlush(message, promise: nil)
            case .spent:
                logger.info("consumer disconnected: it has said nothing for \(timeout)")
                task.cancel()
                channel.close(promise: nil)
            }
        }
    }
}
