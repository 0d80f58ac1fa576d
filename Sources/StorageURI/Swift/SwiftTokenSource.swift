package import FoundationEssentials
import Synchronization

/// The tokens of one storage role: got once, kept, and replaced before they expire.
public struct SwiftTokenSource: SwiftTokenProvider {
    private let cache: CredentialCache<SwiftToken>

    /// - Parameter http: How the identity service is reached.
    public init(environment: RoleEnvironment, http: any HTTPFetcher) {
        self.init(environment: environment, http: http, pause: .milliseconds(200), now: { Date() })
    }

    /// - Parameters:
    ///   - pause: The wait before the first retry of a request.
    ///   - now: The clock.
    package init(
        environment: RoleEnvironment, http: any HTTPFetcher, pause: Duration, now: @escaping @Sendable () -> Date
    ) {
        // A token that was given is handed out once: when it is asked for again, the service has refused it.
        let wasGiven = Given()
        cache = CredentialCache(now: now) {
            let identity = try SwiftIdentity(environment)
            let resolver = SwiftTokenResolver(
                identity: identity, settings: try SwiftSettings(identity),
                http: CredentialHTTP(fetcher: http, pause: pause), now: now, mayUseGiven: wasGiven.isFirst())
            return try await resolver.resolve()
        }
    }

    public func token(refresh: Bool) async throws -> SwiftToken { try await cache.credentials(refresh: refresh) }

    private final class Given: Sendable {
        private let flag = Atomic(false)
        func isFirst() -> Bool { !flag.exchange(true, ordering: .relaxed) }
    }
}
