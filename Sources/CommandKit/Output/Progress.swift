@preconcurrency import Dispatch
import Glibc
import Synchronization

/// How far a long work has come, drawn below all other output on a terminal and nowhere else:
///
///     import  [#########-----------]  45%  720 MB of 1.6 GB  512 MB/s  0:02 left
///
/// Workers on any thread add what they have done; that costs one atomic addition, and less than a call a mebibyte
/// is enough. The line is drawn at most ten times a second.
public final class Progress: Sendable {
    private let label: String
    private let total: Atomic<Int>
    private let done = Atomic(0)
    private let drawing: Drawing?

    /// What the timer and `finish` share.
    private struct State {
        var samples = RateSamples()
        var isFinished = false
    }

    private final class Drawing: Sendable {
        let timer: any DispatchSourceTimer
        let start: Double
        let state = Mutex(State())
        init(timer: any DispatchSourceTimer, start: Double) {
            self.timer = timer
            self.start = start
        }
    }

    /// - Parameters:
    ///   - label: What is being done, in a word: "import".
    ///   - totalBytes: All there is to do; nil while that is not known.
    ///   - isEnabled: False draws nothing, wherever standard error goes.
    public init(_ label: String, totalBytes: Int? = nil, isEnabled: Bool = true) {
        self.label = label
        total = Atomic(totalBytes ?? -1)
        guard isEnabled, StandardError.isTerminal else {
            drawing = nil
            return
        }
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "progress"))
        drawing = Drawing(timer: timer, start: monotonicSeconds())
        timer.schedule(deadline: .now() + .milliseconds(100), repeating: .milliseconds(100))
        timer.setEventHandler { [weak self] in self?.draw() }
        timer.resume()
    }

    deinit { drawing?.timer.cancel() }

    /// Counts bytes as done.
    public func add(_ bytes: Int) { done.add(bytes, ordering: .relaxed) }

    /// Counts bytes as not done after all: a piece that has to be sent again.
    public func takeBack(_ bytes: Int) { done.subtract(bytes, ordering: .relaxed) }

    /// Sets how much there is to do, once that is known or has changed.
    public func setTotal(_ bytes: Int) { total.store(bytes, ordering: .relaxed) }

    public var doneBytes: Int { done.load(ordering: .relaxed) }

    /// The work is done: the last line stays on the terminal.
    public func finish() {
        end { drawing in
            let seconds = monotonicSeconds() - drawing.start
            return ProgressLine(
                label: label, done: doneBytes, total: totalBytes,
                bytesPerSecond: Double(doneBytes) / max(seconds, 0.001)
            ).finished(seconds: seconds, columns: StandardError.columns)
        }
    }

    /// The work has failed: the line goes away, and a message will take its place.
    public func abandon() { end { _ in nil } }

    private var totalBytes: Int? {
        let value = total.load(ordering: .relaxed)
        return value < 0 ? nil : value
    }

    private func end(_ final: (Drawing) -> String?) {
        guard let drawing else { return }
        drawing.timer.cancel()
        drawing.state.withLock { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            StandardError.endStatus(final(drawing))
        }
    }

    private func draw() {
        guard let drawing else { return }
        drawing.state.withLock { state in
            guard !state.isFinished else { return }
            let done = doneBytes
            let rate = state.samples.add(bytes: done, at: monotonicSeconds(), start: drawing.start)
            StandardError.showStatus(
                ProgressLine(label: label, done: done, total: totalBytes, bytesPerSecond: rate)
                    .running(columns: StandardError.columns))
        }
    }
}

/// The rate of the last five seconds, so that it follows the work without jumping.
struct RateSamples {
    private var samples: [(seconds: Double, bytes: Int)] = []

    mutating func add(bytes: Int, at seconds: Double, start: Double) -> Double {
        if samples.isEmpty { samples.append((start, 0)) }
        samples.append((seconds, bytes))
        while samples.count > 2, seconds - samples[1].seconds >= 5 { samples.removeFirst() }
        return Double(bytes - samples[0].bytes) / max(seconds - samples[0].seconds, 0.001)
    }
}

/// Seconds on a clock that nobody sets.
func monotonicSeconds() -> Double {
    Double(DispatchTime.now().uptimeNanoseconds) / 1e9
}
