import HTTPTypes
import HummingbirdCore
import Listening
public import Logging
public import NIOCore
import NIOExtras
import NIOPosix

/// A small HTTP server for those who watch a daemon: `GET /v1/status`, `GET /metrics`, `GET /healthz`.
///
/// It is there for the daemon, never the other way round: what a client does costs a connection at most.
public struct StatusServer: Sendable {
    /// What a client may take.
    public struct Limits: Sendable {
        /// Connections at the same time. More wait until one has ended.
        public var connections = 64
        /// How long a connection may last.
        public var connectionTime = TimeAmount.seconds(10)
        /// All headers of a request together.
        public var headerBytes = 16 << 10

        public init() {}
    }

    private let host: String
    private let port: Int
    private let pages: StatusPages
    private let limits: Limits
    private let logger: Logger

    /// - Parameters:
    ///   - host: A name or an address to listen on.
    ///   - port: 0 takes a free one.
    public init(host: String, port: Int, pages: StatusPages, limits: Limits = Limits(), logger: Logger) {
        self.host = host
        self.port = port
        self.pages = pages
        self.limits = limits
        self.logger = logger
    }

    /// Serves while `body` runs, which begins when the server listens, and is given its port.
    ///
    /// - Throws: `ListenError`, and `body` does not run; or what `body` throws.
    public func serve<Result: Sendable>(
        during body: (_ port: Int) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup.singleton
        let ending = ServerQuiescingHelper(group: group)
        let channels = makeChannels()
        let (accepted, continuation) = AsyncStream.makeStream(of: HTTP1Channel.Value.self)
        let listener = try await listen(group, ending) { [logger = quietLogger] channel in
            channels.setup(channel: channel, logger: logger).map { _ = continuation.yield($0) }
        }
        // No child of this task: cancelled, it would leave connections that were accepted to nobody, and NIO ends a
        // process that drops one.
        let serving = Task { [logger = quietLogger] in
            await withDiscardingTaskGroup { group in
                for await connection in accepted {
                    group.addTask { await channels.handle(value: connection, logger: logger) }
                }
            }
        }
        func end() async {
            let ended = listener.eventLoop.makePromise(of: Void.self)
            ending.initiateShutdown(promise: ended)
            // Whatever it says: nothing is accepted any more, and all that was is closed.
            _ = try? await ended.futureResult.get()
            continuation.finish()
            await serving.value
        }
        do {
            let result = try await body(listener.localAddress?.port ?? port)
            await end()
            return result
        } catch {
            await end()
            throw error
        }
    }

    private func listen(
        _ group: any EventLoopGroup, _ ending: ServerQuiescingHelper,
        _ accept: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let connections = limits.connections
        return try await ServerBootstrap(group: group)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer(accept)
            .listen(host: host, port: port) { channel in
                [
                    AvailableConnectionsChannelHandler(maxConnections: connections),
                    ending.makeServerChannelHandler(channel: channel),
                ]
            }
    }

    private func makeChannels() -> HTTP1Channel {
        let (pages, logger, time) = (pages, logger, limits.connectionTime)
        return HTTP1Channel(
            responder: { request, writer, _ in
                let response = await pages.response(to: request, logger)
                if request.method == .head {
                    try await writer.writeResponse(response.head)
                } else {
                    try await writer.write(response: response.head, body: response.body)
                }
            },
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [ConnectionDeadline(time)],
                httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
                    maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes)))
    }

    /// What clients do wrong is theirs, and no news.
    private var quietLogger: Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }
}
