/// Does all of a daemon's works at the same time, until the first of them ends or a signal says that it shall. Then the
/// others are cancelled, and waited for.
///
/// - Parameter onHangup: Called at each SIGHUP.
/// - Throws: What ended the first, if it failed.
public func work(
    until signals: AsyncStream<DaemonSignal>, onHangup: @escaping @Sendable () -> Void,
    _ works: [@Sendable () async throws -> Void]
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for work in works { group.addTask { try await work() } }
        group.addTask { await awaitTermination(signals, onHangup: onHangup) }
        try await group.next()
        Readiness.shared.stopping()
        group.cancelAll()
        while true {
            do {
                guard try await group.next() != nil else { break }
            } catch { continue }  // interrupted, as asked
        }
    }
}
