import Dispatch

/// Threads of our own for work that computes and blocks in turn: reading a file, compressing it, writing it. The
/// shared pool has one thread a core and must not wait for disks.
public final class WorkerPool: TaskExecutor {
    /// How many tasks run side by side.
    public let width: Int
    private let queue = DispatchQueue(label: "zenith.workers", attributes: .concurrent)

    public init(width: Int) {
        precondition(width >= 1)
        self.width = width
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Runs `work` once for each worker number, side by side on this pool, and returns the results in the order of
    /// numbers. The first to throw cancels the others.
    public func run<Result: Sendable>(_ work: @escaping @Sendable (Int) async throws -> Result) async throws -> [Result]
    {
        try await withThrowingTaskGroup(of: (Int, Result).self) { group in
            for number in 0..<width {
                group.addTask(executorPreference: self) { (number, try await work(number)) }
            }
            var results = [Result?](repeating: nil, count: width)
            for try await (number, result) in group { results[number] = result }
            return results.map { $0! }  // every worker has returned
        }
    }
}
