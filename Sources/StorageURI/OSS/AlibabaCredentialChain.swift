package import FoundationEssentials

/// The credentials of one storage role: found once, kept, and fetched anew before they expire.
public struct AlibabaCredentialChain: AlibabaCredentialProvider {
    private let cache: CredentialCache<AlibabaCredentials>

    /// The variables of OSS' own tools, and then the sources of Alibaba Cloud's libraries, in their order: variables,
    /// OIDC, profiles, instance, URI.
    ///
    /// - Parameters:
    ///   - environment: The variables, as the storage's role sees them.
    ///   - region: The storage's region, for the token service; nil: its global address.
    ///   - http: How credential services are reached.
    public static func make(
        environment: RoleEnvironment, region: String?, http: any HTTPFetcher
    ) -> any AlibabaCredentialProvider {
        AlibabaCredentialChain(
            environment: environment, region: region, http: http, pause: .milliseconds(200), now: { Date() })
    }

    /// - Parameters:
    ///   - pause: The wait before the first retry of a request.
    ///   - now: The clock.
    package init(
        environment: RoleEnvironment, region: String?, http: any HTTPFetcher, pause: Duration,
        now: @escaping @Sendable () -> Date
    ) {
        cache = CredentialCache(now: now) {
            let resolver = AlibabaCredentialResolver(
                identity: try AlibabaIdentity(environment), region: region,
                http: CredentialHTTP(fetcher: http, pause: pause), now: now)
            return try await resolver.resolve()
        }
    }

    public func credentials(refresh: Bool) async throws -> AlibabaCredentials {
        try await cache.credentials(refresh: refresh)
    }
}
