import NIOCore
import Synchronization

/// The messages of one connection between its event loop, which puts them in, and its task, which takes them out.
///
/// When the task does not keep up, no more is read from the socket.
final class FrontendMailbox: Sendable {
    /// Messages that wait before reading stops. What one read of the socket gave may exceed it.
    private static let limit = 64

    private struct State {
        var messages = CircularBuffer<FrontendMessage>()
        var waiter: CheckedContinuation<FrontendMessage?, Never>?
        var isFinished = false
    }
    private let state = Mutex(State())

    var isFull: Bool { state.withLock { $0.messages.count >= Self.limit } }

    func put(_ message: FrontendMessage) {
        let waiter = state.withLock { state in
            if state.waiter == nil, !state.isFinished { state.messages.append(message) }
            return state.waiter.take()
        }
        waiter?.resume(returning: message)
    }

    /// No more will come.
    func finish() {
        let waiter = state.withLock { state in
            state.isFinished = true
            return state.waiter.take()
        }
        waiter?.resume(returning: nil)
    }

    /// The next message; nil when the connection has ended. `channel` is told to read on.
    func next(readingFrom channel: any Channel) async -> FrontendMessage? {
        await withCheckedContinuation { continuation in
            let (now, resumesReading) = state.withLock { state -> (FrontendMessage??, Bool) in
                if let message = state.messages.popFirst() {
                    return (.some(message), state.messages.count == Self.limit - 1)
                }
                if state.isFinished { return (.some(nil), false) }
                state.waiter = continuation
                return (nil, false)
            }
            if resumesReading { channel.read() }
            if let now { continuation.resume(returning: now) }
        }
    }
}
