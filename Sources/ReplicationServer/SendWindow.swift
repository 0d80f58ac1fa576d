import NIOCore
import Synchronization

/// A buffer for one XLogData message, used again and again.
///
/// One holder at a time: the window, then the thread that fills it and hands its bytes to the channel, then, when these
/// are written, the window.
final class SendBuffer: @unchecked Sendable {
    var bytes = ByteBuffer()
}

/// The messages that one consumer is being sent at a time: a slow one holds so much memory, and no more.
final class SendWindow: Sendable {
    static let width = 4

    private struct State {
        var free = (0..<SendWindow.width).map { _ in SendBuffer() }
        var waiter: CheckedContinuation<Bool, Never>?
        var isCancelled = false
    }
    private let state = Mutex(State())

    /// All buffers that are free, and one at least.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before one is.
    func take() async throws(CancellationError) -> [SendBuffer] {
        let isThere = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = state.withLock { state -> Bool? in
                    if state.isCancelled { return false }
                    if !state.free.isEmpty { return true }
                    state.waiter = continuation
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.isCancelled = true
                return state.waiter.take()
            }
            waiter?.resume(returning: false)
        }
        guard isThere else { throw CancellationError() }
        return state.withLock { state in
            defer { state.free.removeAll(keepingCapacity: true) }
            return state.free
        }
    }

    func give(_ buffer: SendBuffer) {
        let waiter = state.withLock { state in
            state.free.append(buffer)
            return state.waiter.take()
        }
        waiter?.resume(returning: true)
    }
}
