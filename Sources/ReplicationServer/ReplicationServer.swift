import Listening
public import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A server that speaks PostgreSQL's physical replication protocol: `pg_receivewal` and standby servers take WAL from it
/// as from a primary.
public final class ReplicationServer: Sendable {
    /// Where a server listens.
    public struct Address: Sendable, Hashable {
        public let host: String
        public let port: Int
    }

    private let configuration: ReplicationServerConfiguration
    private let source: any WALSource
    private let logger: Logger
    private let registry = ConnectionRegistry()
    private let bound = BoundAddress()
    /// Nil before it runs.
    private let credentials = Mutex<ServerCredentials?>(nil)

    public init(configuration: ReplicationServerConfiguration, source: any WALSource, logger: Logger) {
        self.configuration = configuration
        self.source = source
        self.logger = logger
    }

    /// Where the server listens. Waits until it does.
    ///
    /// - Throws: What `run` throws, when it could not begin.
    public var boundAddress: Address {
        get async throws { try await bound.address }
    }

    /// The connections that are open now, in the order in which they came.
    public func consumers() -> [ReplicationConsumer] { registry.consumers }

    /// Serves until the task is cancelled, and returns when the last connection is closed. To be called once.
    ///
    /// - Throws: `ListenError`; or when the certificate or its key cannot be used.
    public func run() async throws {
        let threads = NIOThreadPool(numberOfThreads: 8)
        threads.start()
        do {
            try reload(configuration)
            let context = ServerContext(
                configuration: configuration, source: source, registry: registry, threads: threads, logger: logger)
            try await serve(context)
        } catch {
            bound.set(.failure(error))
            try? await threads.shutdownGracefully()
            throw error
        }
        try await threads.shutdownGracefully()
    }

    /// Takes over the users, the certificate and whom to trust from other settings, for connections from now on. What is
    /// connected stays so. Nothing changes where it throws.
    ///
    /// - Throws: `CertificateError`.
    public func reload(_ configuration: ReplicationServerConfiguration) throws {
        let new = try ServerCredentials(configuration)
        credentials.withLock { $0 = new }
    }

    private func serve(_ context: ServerContext) async throws {
        let (accepted, continuation) = AsyncStream.makeStream(of: AcceptedConnection.self)
        let (registry, limit) = (registry, configuration.connectionLimit)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    // Some beyond the limit are told so; more are not even heard.
                    guard let (consumer, count) = registry.add(channel), let credentials = credentials.withLock({ $0 })
                    else { throw ChannelError.ioOnClosedChannel }
                    guard count <= limit + 64 else {
                        registry.remove(consumer.id)
                        throw ChannelError.ioOnClosedChannel
                    }
                    let mailbox = FrontendMailbox()
                    let handler = FrontendHandler(mailbox: mailbox, consumer: consumer, tls: credentials.tls)
                    try channel.pipeline.syncOperations.addHandler(handler)
                    continuation.yield(
                        AcceptedConnection(
                            channel: channel, mailbox: mailbox, consumer: consumer, credentials: credentials,
                            isRefused: count > limit))
                }
            }
            .listen(host: configuration.host, port: configuration.port)
        let address = Address(host: configuration.host, port: listener.localAddress?.port ?? configuration.port)
        logger.info("listening", metadata: ["host": "\(address.host)", "port": "\(address.port)"])
        bound.set(.success(address))

        await withDiscardingTaskGroup { group in
            for await connection in accepted {
                group.addTask { await Connection(connection, context: context).run() }
            }
            // Cancelled. Those accepted meanwhile have no task; closing ends them as well.
            registry.close()
            try? await listener.close().get()
        }
    }
}

/// The address, once it is known, and those who wait for it.
private final class BoundAddress: Sendable {
    private struct State {
        var result: Result<ReplicationServer.Address, any Error>?
        var waiters: [CheckedContinuation<ReplicationServer.Address, any Error>] = []
    }
    private let state = Mutex(State())

    var address: ReplicationServer.Address {
        get async throws {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state in
                    if state.result == nil { state.waiters.append(continuation) }
                    return state.result
                }
                if let result { continuation.resume(with: result) }
            }
        }
    }

    func set(_ result: Result<ReplicationServer.Address, any Error>) {
        let waiters = state.withLock { state in
            if state.result == nil { state.result = result }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(with: result) }
    }
}
