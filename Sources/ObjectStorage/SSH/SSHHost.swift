import Glibc
import StorageURI
import Synchronization

/// The connections to one host: as many as calls need at once, up to a limit, and kept for the next ones.
final class SSHHost: Sendable {
    let options: SSHOptions
    private let findCredentials: @Sendable () throws -> SSHCredentials
    private let work: BlockingWork
    private let idle = Mutex<[SFTPConnection]>([])
    /// Where the credentials last used came from: for messages.
    private let source = Mutex<String?>(nil)

    init(options: SSHOptions, findCredentials: @escaping @Sendable () throws -> SSHCredentials) {
        self.options = options
        self.findCredentials = findCredentials
        work = BlockingWork(width: options.maximumConnections)
    }

    /// Nil before the first connection.
    var credentialSource: String? { source.withLock { $0 } }

    /// Runs `body` with a connection until it succeeds, fails for good, or the retries are used up. It may block.
    func perform<Value: Sendable>(
        _ body: @escaping @Sendable (SFTPConnection) throws(ServiceFailure) -> Value
    ) async throws(ServiceFailure) -> Value {
        var retrier = Retrier(policy: options.retries)
        while true {
            do throws(ServiceFailure) { return try await attempt(body) } catch {
                try await retrier.wait(after: error)
            }
        }
    }

    /// Runs `body` with a connection, once.
    func attempt<Value: Sendable>(
        _ body: @escaping @Sendable (SFTPConnection) throws(ServiceFailure) -> Value
    ) async throws(ServiceFailure) -> Value {
        do {
            return try await work.run { [self] cancellation throws(ServiceFailure) in
                try use(cancellation, body)
            }
        } catch let failure as ServiceFailure {
            throw failure
        } catch {
            throw .cancelled(error)
        }
    }

    /// Runs `body` with a connection, once, whether or not the task is cancelled and whatever comes of it: for tidying
    /// up.
    func tidyUp(_ body: @escaping @Sendable (SFTPConnection) throws(ServiceFailure) -> Void) async {
        await work.runRegardless { [self] in try? use(BlockingWork.Cancellation(), body) }
    }

    private func use<Value>(
        _ cancellation: BlockingWork.Cancellation, _ body: (SFTPConnection) throws(ServiceFailure) -> Value
    ) throws(ServiceFailure) -> Value {
        let connection: SFTPConnection
        if let kept = takeIdle() { connection = kept } else { connection = try connect(cancellation) }
        connection.begin(cancellation)
        defer {
            if connection.isBroken {
                // What broke it may have broken the others.
                idle.withLock { $0.removeAll() }
            } else {
                idle.withLock { $0.append(connection) }
            }
        }
        return try body(connection)
    }

    private func takeIdle() -> SFTPConnection? {
        while let connection = idle.withLock({ $0.popLast() }) {
            if connection.isAlive { return connection }
        }
        return nil
    }

    private func connect(_ cancellation: BlockingWork.Cancellation) throws(ServiceFailure) -> SFTPConnection {
        let session = try SSHSession(
            options,
            credentials: { () throws(ServiceFailure) in
                do {
                    let found = try findCredentials()
                    source.withLock { $0 = found.summary }
                    return found
                } catch { throw ServiceFailure(.denied, "no credentials: \(error)") }
            }, cancellation: cancellation)
        return try SFTPConnection(session)
    }
}
