import Dispatch
import Glibc

/// A signal that a daemon acts on.
public enum DaemonSignal: Int32, Sendable, CaseIterable {
    /// Open the log file again, read what can be read again.
    case hangUp = 1
    /// From the terminal.
    case interrupt = 2
    /// Shut down.
    case terminate = 15
}

/// The signals that arrive from now on, in order. From here on they no longer end the process by themselves: called
/// once, when the daemon is about to say that it is ready.
public func daemonSignals() -> AsyncStream<DaemonSignal> {
    AsyncStream(bufferingPolicy: .bufferingNewest(16)) { continuation in
        let sources = SignalSources { continuation.yield($0) }
        continuation.onTermination = { _ in sources.cancel() }
    }
}

/// Waits for a signal to shut down. Each SIGHUP calls `onHangup`, and the waiting goes on.
public func awaitTermination(
    _ signals: AsyncStream<DaemonSignal>, onHangup: @escaping @Sendable () -> Void
) async {
    for await signal in signals {
        guard signal == .hangUp else { return }
        onHangup()
    }
}

/// - Note: The sources are made once and cancelled from one place; libdispatch guards them itself.
private final class SignalSources: @unchecked Sendable {
    private let sources: [any DispatchSourceSignal]

    init(_ handler: @escaping @Sendable (DaemonSignal) -> Void) {
        let queue = DispatchQueue(label: "signals")
        sources = DaemonSignal.allCases.map { wanted in
            signal(wanted.rawValue, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: wanted.rawValue, queue: queue)
            source.setEventHandler { handler(wanted) }
            source.resume()
            return source
        }
    }

    func cancel() {
        for source in sources { source.cancel() }
    }
}
