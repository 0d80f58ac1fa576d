@preconcurrency import Dispatch
import Glibc

/// Waits for SIGTERM or SIGINT. SIGHUP calls `onHangup` and goes on.
public func awaitTermination(onHangup: @escaping @Sendable () -> Void) async {
    let queue = DispatchQueue(label: "signals")
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    let sources = [SIGTERM, SIGINT, SIGHUP].map { number in
        signal(number, SIG_IGN)  // the dispatch source sees it all the same
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler { if number == SIGHUP { onHangup() } else { continuation.yield() } }
        source.resume()
        return source
    }
    defer { for source in sources { source.cancel() } }
    for await _ in stream { return }
}
