/// Counts the retries of one call, and waits before each.
struct Retrier {
    let policy: RetryPolicy
    private(set) var retries = 0
    /// True when one of the tries may have been carried out, though no answer said so.
    private(set) var mayHaveRun = false

    init(policy: RetryPolicy) { self.policy = policy }

    /// Returns when it is time for another try. Throws the failure when there is to be none.
    mutating func wait(after failure: ServiceFailure) async throws(ServiceFailure) {
        mayHaveRun = mayHaveRun || failure.mayHaveRun
        var failure = failure
        failure.mayHaveRun = mayHaveRun
        guard failure.isRetryable else { throw failure }
        guard retries < policy.maximumRetries else {
            if retries > 0 { failure.detail += "; gave up after \(retries + 1) tries" }
            throw failure
        }
        let delay = policy.delay(
            retry: retries, isThrottled: failure.code == .throttled, retryAfter: failure.retryAfter,
            random: .random(in: 0..<1))
        retries += 1
        do { try await Task.sleep(for: delay) } catch {
            failure.detail = "cancelled"
            failure.cause = error
            failure.code = .unavailable
            throw failure
        }
    }

    /// Some bytes came through: what follows starts with all retries again.
    mutating func noteProgress() { retries = 0 }
}
