/// How often, and after which waits, a request is repeated.
public struct RetryPolicy: Sendable {
    public var maximumRetries = 10
    public var minimumDelay: Duration = .milliseconds(100)
    public var maximumDelay: Duration = .seconds(10)
    /// The same, after the service asked to slow down.
    public var minimumThrottlingDelay: Duration = .milliseconds(500)
    public var maximumThrottlingDelay: Duration = .seconds(30)

    public init() {}

    /// The longest that a service's `Retry-After` is obeyed.
    private static let longestRequestedDelay: Duration = .seconds(120)

    /// The wait before retry number `retry`, counted from 0: a random part of a bound that doubles each time, so that
    /// clients that failed together do not return together, and at least what the service asked for.
    ///
    /// - Parameter random: In 0 ..< 1.
    public func delay(
        retry: Int, isThrottled: Bool, retryAfter: Duration?, random: Double
    ) -> Duration {
        let (first, last) =
            isThrottled ? (minimumThrottlingDelay, maximumThrottlingDelay) : (minimumDelay, maximumDelay)
        let bound = min(last, first * (1 << min(retry, 20)))
        guard let retryAfter else { return bound * random }
        // Those who were told the same moment spread out behind it.
        return min(retryAfter, Self.longestRequestedDelay) + first * random
    }
}
