public import FoundationEssentials

/// What Google's services take as proof of who asks.
public struct GoogleToken: Sendable, ExpiringCredential {
    /// Nil where requests go without: to an emulator.
    public let accessToken: Secret?
    public let expiration: Date?
    /// Where it came from and whose it is, for people: `GOOGLE_APPLICATION_CREDENTIALS (service account x@y)`.
    public let source: String
    /// The project that the credentials' file has billed.
    public let quotaProject: String?

    public init(accessToken: Secret?, expiration: Date? = nil, source: String, quotaProject: String? = nil) {
        self.accessToken = accessToken
        self.expiration = expiration
        self.source = source
        self.quotaProject = quotaProject
    }
}

/// Hands out tokens and keeps them fresh: callers ask before every request.
public protocol GoogleTokenProvider: Sendable {
    /// The current token, fetched anew when it is about to expire.
    ///
    /// - Parameter refresh: True after the service refused it: the cached one is dropped.
    func token(refresh: Bool) async throws -> GoogleToken
}

/// Application Default Credentials, in their own order: the file that a variable names, gcloud's file, the instance.
public struct GoogleCredentialChain: GoogleTokenProvider {
    private let cache: CredentialCache<GoogleToken>

    /// - Parameter http: How token services are reached.
    public static func make(
        environment: RoleEnvironment, settings: GoogleCloudSettings, http: any HTTPFetcher
    ) -> any GoogleTokenProvider {
        GoogleCredentialChain(
            environment: environment, settings: settings, http: http, pause: .milliseconds(200), now: { Date() })
    }

    /// - Parameters:
    ///   - pause: The wait before the first retry of a request.
    ///   - now: The clock.
    package init(
        environment: RoleEnvironment, settings: GoogleCloudSettings, http: any HTTPFetcher, pause: Duration,
        now: @escaping @Sendable () -> Date
    ) {
        cache = CredentialCache(now: now) {
            let resolver = GoogleTokenResolver(
                identity: try GoogleIdentity(environment), settings: settings,
                exchange: GoogleTokenExchange(http: CredentialHTTP(fetcher: http, pause: pause), now: now))
            return try await resolver.resolve()
        }
    }

    public func token(refresh: Bool) async throws -> GoogleToken { try await cache.credentials(refresh: refresh) }
}
