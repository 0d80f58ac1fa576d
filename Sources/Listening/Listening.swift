import Glibc
public import NIOCore
public import NIOPosix

/// An address that a server cannot have.
public struct ListenError: Error, Sendable, CustomStringConvertible {
    public let host: String
    public let port: Int
    /// The system's error number; nil where the host's name leads to no address.
    public let code: CInt?
    public let description: String
}

extension ServerBootstrap {
    /// Listens as all servers here do: the address of one that has just ended can be had at once, and when no file
    /// descriptors are left, accepting waits a little.
    ///
    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - handlers: Further ones of the listening channel.
    /// - Throws: `ListenError`.
    public func listen(
        host: String, port: Int,
        handlers: @escaping @Sendable (any Channel) throws -> [any ChannelHandler] = { _ in [] }
    ) async throws -> any Channel {
        let bootstrap = serverChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(AcceptBackoffHandler())
                for handler in try handlers(channel) { try pipeline.addHandler(handler) }
            }
        }
        .serverChannelOption(.backlog, value: 256)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        do { return try await bootstrap.bind(host: host, port: port).get() } catch {
            let code = (error as? IOError)?.errnoCode
            throw ListenError(
                host: host, port: port, code: code,
                description: code.map { String(cString: strerror($0)) } ?? "\(error)")
        }
    }
}
