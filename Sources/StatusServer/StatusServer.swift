import Glibc
import HTTPTypes
import HummingbirdCore
public import Logging
public import NIOCore
import NIOPosix
import Synchronization

/// A small HTTP server for those who watch a daemon: `GET /v1/status`, `GET /metrics`, `GET /healthz`.
///
/// It is there for the daemon, never the other way round: what a client does costs a connection at most, and a server
/// that cannot go on is started again.
public struct StatusServer: Sendable {
    /// Why it does not serve.
    public struct ListenError: Error, CustomStringConvertible {
        public let host: String
        public let port: Int
        /// The system's error number; nil where the host's name leads to no address.
        public let code: CInt?
        public let description: String
    }

    /// What a client may take.
    public struct Limits: Sendable {
        /// Connections at the same time. More wait until one has ended.
        public var connections = 128
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
        let (beginnings, continuation) = AsyncThrowingStream.makeStream(of: Int.self)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await run(continuation) }
            guard let port = try await beginnings.first(where: { _ in true }) else { throw CancellationError() }
            defer { group.cancelAll() }
            return try await body(port)
        }
    }

    /// Long enough for what is short, such as file descriptors, to be there again.
    private static let pause = Duration.seconds(5)

    /// Runs until the task is cancelled. The first try decides whether it listens at all.
    private func run(_ listening: AsyncThrowingStream<Int, any Error>.Continuation) async {
        defer { listening.finish() }
        let bound = Mutex<Int?>(nil)
        while true {
            // Started again, it has the port that it had.
            let server = makeServer(port: bound.withLock { $0 } ?? port) { port in
                bound.withLock { $0 = port }
                listening.yield(port)
            }
            var fault: (any Error)?
            do { try await server.run() } catch { fault = error }
            if Task.isCancelled { return }
            guard bound.withLock({ $0 != nil }) else {
                return listening.finish(throwing: fault.map(listenError) ?? CancellationError())
            }
            let reason = fault.map { "\($0)" } ?? "the socket failed"
            logger.error("status and metrics are not served: \(reason); trying on")
            do { try await Task.sleep(for: Self.pause) } catch { return }
        }
    }

    private func makeServer(port: Int, onListening: @escaping @Sendable (Int) -> Void) -> Server<HTTP1Channel> {
        let (pages, logger, time) = (pages, logger, limits.connectionTime)
        let channel = HTTP1Channel(
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
        // It says at each start that it listens, and where; the daemon does that.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return Server(
            childChannelSetup: channel,
            configuration: ServerConfiguration(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: .maximum(limits.connections, logger: quiet)),
            onServerRunning: { onListening($0.localAddress?.port ?? port) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet)
    }

    private func listenError(_ error: any Error) -> any Error {
        let code = (error as? IOError)?.errnoCode
        return ListenError(
            host: host, port: port, code: code,
            description: code.map { String(cString: strerror($0)) } ?? "\(error)")
    }
}
