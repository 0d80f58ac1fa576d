public import FoundationEssentials

/// A token, and the account that it opens.
public struct SwiftToken: ExpiringCredential {
    public let token: Secret
    /// The account's address, without a slash at its end.
    public let storageURL: String
    /// When the service stops accepting it; nil: not known.
    public let expiration: Date?
    /// Where it came from, and whose it is, for people: "OS_USERNAME (user backup, project databases)".
    public let source: String

    public init(token: Secret, storageURL: String, expiration: Date? = nil, source: String) {
        self.token = token
        self.storageURL = storageURL
        self.expiration = expiration
        self.source = source
    }
}

/// Hands out tokens and keeps them fresh: callers ask before every request.
public protocol SwiftTokenProvider: Sendable {
    /// The current token, fetched anew when it is about to expire.
    ///
    /// - Parameter refresh: True after the service refused it: the cached one is dropped.
    func token(refresh: Bool) async throws -> SwiftToken
}

/// The identity service does not answer, or fails on its side: it may do better later.
public struct SwiftIdentityUnavailable: Error, CustomStringConvertible {
    public let description: String
}
