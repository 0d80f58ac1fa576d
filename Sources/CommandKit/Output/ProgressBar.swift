public import Snapshots

/// Draws the progress of a long work.
public struct ProgressBar: WorkProgress {
    private let bar: Progress

    public init(_ label: String) { bar = Progress(label) }

    public func expect(bytes: Int) { bar.setTotal(bytes) }
    public func advance(bytes: Int) { bar.add(bytes) }

    /// Runs `work`; the bar ends with it.
    public func during<Result>(_ work: () async throws -> Result) async throws -> Result {
        do {
            let result = try await work()
            bar.finish()
            return result
        } catch {
            bar.abandon()
            throw error
        }
    }
}
