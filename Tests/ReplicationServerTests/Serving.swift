import Foundation
import Logging
import ReplicationServer
import TestSupport

/// Runs what blocks on a thread of its own: the cooperative pool is the server's.
func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}

/// A free port, and trust; and what `change` changes.
func settings(_ change: (inout ReplicationServerConfiguration) -> Void) -> ReplicationServerConfiguration {
    var configuration = ReplicationServerConfiguration(port: 0, trustsLoopback: true)
    change(&configuration)
    return configuration
}

/// Runs a server while `body` runs, and waits for its end.
func serving<Value: Sendable>(
    _ source: any WALSource, _ configuration: ReplicationServerConfiguration = settings { _ in },
    body: (ReplicationServer, Int) async throws -> Value
) async throws -> Value {
    var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .trace
    let server = ReplicationServer(configuration: configuration, source: source, logger: logger)
    let running = Task { try await server.run() }
    do {
        let value = try await body(server, try await server.boundAddress.port)
        running.cancel()
        try await running.value
        return value
    } catch {
        running.cancel()
        _ = await running.result
        throw error
    }
}

/// Waits until a condition holds; the test's own time limit ends it otherwise.
func eventually(_ condition: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while try !condition() {
        guard ContinuousClock.now < deadline else { throw PostgresTestError("it did not happen") }
        try await Task.sleep(for: .milliseconds(5))
    }
}
