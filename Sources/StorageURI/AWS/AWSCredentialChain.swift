package import FoundationEssentials

/// The credentials of one storage role: found once, kept, and fetched anew before they expire.
public actor AWSCredentialChain: AWSCredentialProvider {
    /// How long before their end credentials are replaced; for short-lived ones, half their life.
    private static let margin: TimeInterval = 300
    /// The wait after a failed replacement, as long as the old ones last.
    private static let retryInterval: TimeInterval = 30

    private let resolve: @Sendable () async throws -> AWSCredentials
    private let now: @Sendable () -> Date
    private var current: AWSCredentials?
    /// When the current ones are to be replaced; nil: never.
    private var replaceAt: Date?
    /// The fetch under way, which all who ask meanwhile share.
    private var fetch: Task<AWSCredentials, any Error>?

    /// The sources of Amazon's own libraries, in their order: variables, web identity, profile, container, instance.
    ///
    /// - Parameters:
    ///   - environment: The variables, as the storage's role sees them.
    ///   - region: The storage's region, for the token service; nil: the profile's, else Amazon's global service.
    ///   - http: How credential services are reached. Their answers may be of another host than the storage's.
    public static func make(
        environment: RoleEnvironment, region: String?, http: any HTTPFetcher
    ) -> any AWSCredentialProvider {
        AWSCredentialChain(
            environment: environment, region: region, http: http, pause: .milliseconds(200), now: { Date() })
    }

    /// - Parameters:
    ///   - pause: The wait before the first retry of a request.
    ///   - now: The clock.
    package init(
        environment: RoleEnvironment, region: String?, http: any HTTPFetcher, pause: Duration,
        now: @escaping @Sendable () -> Date
    ) {
        self.now = now
        resolve = {
            let resolver = AWSCredentialResolver(
                identity: try AWSIdentity(environment), region: region,
                http: CredentialHTTP(fetcher: http, pause: pause), now: now)
            return try await resolver.resolve()
        }
    }

    public func credentials(refresh: Bool) async throws -> AWSCredentials {
        if refresh { (current, replaceAt) = (nil, nil) }
        if let current, replaceAt.map({ now() < $0 }) ?? true { return current }
        let previous = current
        do {
            return try await shared()
        } catch {
            // They are still good for a while: the service may be back before they end.
            guard let previous, let end = previous.expiration, now() < end else { throw error }
            if current != nil { replaceAt = now() + Self.retryInterval }
            return previous
        }
    }

    private func shared() async throws -> AWSCredentials {
        if let fetch { return try await fetch.value }
        let task = Task { try await resolve() }
        fetch = task
        defer { fetch = nil }
        let found = try await task.value
        current = found
        replaceAt = found.expiration.map { end in
            let life = end.timeIntervalSince(now())
            // What seems to have ended already may be a matter of our clock: the storage is the judge of that.
            return life > 0 ? end - min(Self.margin, life / 2) : now() + Self.retryInterval
        }
        return found
    }
}
