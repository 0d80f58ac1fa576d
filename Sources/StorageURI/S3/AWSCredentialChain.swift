package import FoundationEssentials

/// The credentials of one storage role: found once, kept, and fetched anew before they expire.
public struct AWSCredentialChain: AWSCredentialProvider {
    private let cache: CredentialCache<AWSCredentials>

    /// The sources of Amazon's own libraries, in their order: variables, web identity, profile, container, instance.
    ///
    /// - Parameters:
    ///   - environment: The variables, as the storage's role sees them.
    ///   - region: The storage's region, for the token service; nil: the profile's, else Amazon's global service.
    ///   - http: How credential services are reached. Their answers may be of another host than the storage's.
    ///   - programs: Runs the programs that profiles name; nil: none is run.
    public static func make(
        environment: RoleEnvironment, region: String?, http: any HTTPFetcher, programs: (any ProgramRunner)?
    ) -> any AWSCredentialProvider {
        AWSCredentialChain(
            environment: environment, region: region, http: http, programs: programs, pause: .milliseconds(200),
            now: { Date() })
    }

    /// - Parameters:
    ///   - pause: The wait before the first retry of a request.
    ///   - now: The clock.
    package init(
        environment: RoleEnvironment, region: String?, http: any HTTPFetcher,
        programs: (any ProgramRunner)? = nil, pause: Duration, now: @escaping @Sendable () -> Date
    ) {
        cache = CredentialCache(now: now) {
            let resolver = AWSCredentialResolver(
                identity: try AWSIdentity(environment), region: region,
                http: CredentialHTTP(fetcher: http, pause: pause), programs: programs, now: now)
            return try await resolver.resolve()
        }
    }

    public func credentials(refresh: Bool) async throws -> AWSCredentials {
        try await cache.credentials(refresh: refresh)
    }
}

extension AWSCredentials: ExpiringCredential {}
