package import FoundationEssentials

/// The credentials of one storage role: found once, kept, and fetched anew before they expire.
public struct AzureCredentialChain: AzureCredentialProvider {
    private let cache: CredentialCache<AzureCredentials>

    /// The account's own credentials in the Azure CLI's and WAL-G's order, then those of Microsoft's default chain:
    /// connection string, key, signature, application, workload identity, managed identity.
    ///
    /// - Parameters:
    ///   - environment: The variables, as the storage's role sees them.
    ///   - settings: What they come to.
    ///   - http: How token services are reached. They are other hosts than the storage's.
    public static func make(
        environment: RoleEnvironment, settings: AzureSettings, http: any HTTPFetcher
    ) -> any AzureCredentialProvider {
        AzureCredentialChain(
            environment: environment, settings: settings, http: http, pause: .milliseconds(200), now: { Date() })
    }

    /// - Parameters:
    ///   - pause: The wait before the first retry of a request.
    ///   - now: The clock.
    package init(
        environment: RoleEnvironment, settings: AzureSettings, http: any HTTPFetcher, pause: Duration,
        now: @escaping @Sendable () -> Date
    ) {
        cache = CredentialCache(now: now) {
            let resolver = AzureCredentialResolver(
                identity: try AzureIdentity(environment), settings: settings,
                http: CredentialHTTP(fetcher: http, pause: pause), now: now)
            return try await resolver.resolve()
        }
    }

    public func credentials(refresh: Bool) async throws -> AzureCredentials {
        try await cache.credentials(refresh: refresh)
    }
}
