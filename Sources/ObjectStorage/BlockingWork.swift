import Glibc
import Synchronization

/// Threads for calls that block, so that they never hold one of the cooperative pool's, of which there is one a core.
///
/// Threads start as they are needed, up to `width`, and stay. More work than that waits in line; work whose task is
/// cancelled while it waits leaves the line at once. What waits for long (for a child process, say) takes a
/// pool of its own, so that it does not hold up the others.
public final class BlockingWork: Sendable {
    /// Tells running work that its task was cancelled: long work asks now and then, and throws `CancellationError`.
    public final class Cancellation: Sendable {
        private let flag = Atomic<Bool>(false)
        public init() {}
        public var isCancelled: Bool { flag.load(ordering: .relaxed) }
        public func check() throws(CancellationError) { if isCancelled { throw CancellationError() } }
        func cancel() { flag.store(true, ordering: .relaxed) }
    }

    /// For calls that end soon: file system calls, name look-ups.
    public static let shared = BlockingWork(width: 16)

    /// Runs `work` on a thread of the shared pool.
    public static func run<Value: Sendable>(
        _ work: @escaping @Sendable (Cancellation) throws -> Value
    ) async throws -> Value {
        try await shared.run(work)
    }

    /// How many calls may block at the same time.
    public let width: Int
    private let line: Line

    public init(width: Int) {
        precondition(width > 0, "a pool needs a thread")
        self.width = width
        line = Line(width: width)
    }

    deinit { line.close() }

    /// Runs `work` on a thread of this pool.
    ///
    /// - Throws: What `work` throws, or `CancellationError` when the task was cancelled before `work` began.
    public func run<Value: Sendable>(
        _ work: @escaping @Sendable (Cancellation) throws -> Value
    ) async throws -> Value {
        let job = Job<Value>(work)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                // False: cancelled already, and the continuation is resumed.
                if job.wait(continuation) { line.add { job.run() } }
            }
        } onCancel: {
            job.cancel()
        }
    }

    /// Runs `work` on a thread of this pool whether or not the task is cancelled: for tidying up.
    public func runRegardless<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            line.add { continuation.resume(returning: work()) }
        }
    }
}

/// One call of `run`. The state decides who resumes the continuation: the thread, or the cancellation that came first.
private final class Job<Value: Sendable>: Sendable {
    private enum State {
        case created
        case waiting(CheckedContinuation<Value, any Error>)
        case taken
        case cancelled
    }
    private let state = Mutex(State.created)
    private let cancellation = BlockingWork.Cancellation()
    private let work: @Sendable (BlockingWork.Cancellation) throws -> Value

    init(_ work: @escaping @Sendable (BlockingWork.Cancellation) throws -> Value) { self.work = work }

    func wait(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
        let waits = state.withLock { state in
            if case .cancelled = state { return false }
            state = .waiting(continuation)
            return true
        }
        if !waits { continuation.resume(throwing: CancellationError()) }
        return waits
    }

    func run() {
        guard let continuation = take(leaving: .taken) else { return }
        continuation.resume(with: Result { try work(cancellation) })
    }

    func cancel() {
        cancellation.cancel()
        take(leaving: .cancelled)?.resume(throwing: CancellationError())
    }

    private func take(leaving next: State) -> CheckedContinuation<Value, any Error>? {
        state.withLock { state in
            switch state {
            case .waiting(let continuation):
                state = next
                return continuation
            case .created:
                state = next
                return nil
            case .taken, .cancelled:
                return nil
            }
        }
    }
}

/// The work that waits, and the threads that take it, first come first served.
///
/// - Note: The condition variable needs a pthread mutex of its own; `lock` guards every other stored property.
private final class Line: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let moreWork = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let width: Int
    private var jobs: [@Sendable () -> Void] = []
    private var nextIndex = 0
    private var threadCount = 0
    private var idleCount = 0
    private var isClosed = false

    init(width: Int) {
        self.width = width
        pthread_mutex_init(lock, nil)
        pthread_cond_init(moreWork, nil)
    }

    deinit {
        pthread_cond_destroy(moreWork)
        pthread_mutex_destroy(lock)
        lock.deallocate()
        moreWork.deallocate()
    }

    func add(_ job: @escaping @Sendable () -> Void) {
        pthread_mutex_lock(lock)
        jobs.append(job)
        let waitingCount = jobs.count - nextIndex
        if waitingCount > idleCount, threadCount < width {
            threadCount += 1
            startThread()
        }
        pthread_cond_signal(moreWork)
        pthread_mutex_unlock(lock)
    }

    func close() {
        pthread_mutex_lock(lock)
        isClosed = true
        pthread_cond_broadcast(moreWork)
        pthread_mutex_unlock(lock)
    }

    /// Called under the lock. Where the system gives no thread, those there are must do; the first one is needed.
    private func startThread() {
        var thread = pthread_t()
        let line = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Line>.fromOpaque(argument!).takeRetainedValue().work()
                return nil
            }, line.toOpaque())
        if status == 0 {
            pthread_detach(thread)
        } else {
            line.release()
            threadCount -= 1
            precondition(threadCount > 0, "the system gives no thread for blocking calls: \(status)")
        }
    }

    private func work() {
        pthread_mutex_lock(lock)
        while true {
            if nextIndex < jobs.count {
                let job = jobs[nextIndex]
                nextIndex += 1
                if nextIndex == jobs.count || nextIndex >= 1024 {
                    jobs.removeFirst(nextIndex)
                    nextIndex = 0
                }
                pthread_mutex_unlock(lock)
                job()
                pthread_mutex_lock(lock)
            } else if isClosed {
                break
            } else {
                idleCount += 1
                pthread_cond_wait(moreWork, lock)
                idleCount -= 1
            }
        }
        pthread_mutex_unlock(lock)
    }
}
