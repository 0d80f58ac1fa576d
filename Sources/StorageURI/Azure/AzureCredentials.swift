public import FoundationEssentials

/// What requests to an account's blobs are allowed by.
public struct AzureCredentials: Sendable {
    public enum Kind: Sendable {
        /// The account's key, in Base64, with which each request is signed.
        case sharedKey(account: String, key: Secret)
        /// A signature that somebody else made: a query, to be added to each request's.
        case signature(Secret)
        /// A token of Entra.
        case token(Secret)
    }
    public let kind: Kind
    /// When the service stops accepting them; nil: never, or it is not for us to renew them.
    public let expiration: Date?
    /// Where they came from, for people: `AZURE_STORAGE_ACCESS_KEY`, `managed identity`.
    public let source: String
    /// Which they are, for people: `account a`, `application 1111 of tenant 2222`.
    public let identity: String

    public init(kind: Kind, expiration: Date? = nil, source: String, identity: String) {
        self.kind = kind
        self.expiration = expiration
        self.source = source
        self.identity = identity
    }
}

extension AzureCredentials: ExpiringCredential {}

/// Hands out credentials and keeps them fresh: callers ask before every request.
public protocol AzureCredentialProvider: Sendable {
    /// The current credentials, fetched anew when they are about to expire.
    ///
    /// - Parameter refresh: True after the service refused them as expired: the cached ones are dropped.
    func credentials(refresh: Bool) async throws -> AzureCredentials
}
