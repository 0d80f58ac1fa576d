public import FoundationEssentials

/// One set of keys for S3 and STS.
public struct AWSCredentials: Sendable {
    public let accessKeyID: String
    public let secretAccessKey: Secret
    public let sessionToken: Secret?
    /// When the service stops accepting them; nil: never.
    public let expiration: Date?
    /// Where they came from, for people: "AWS_ACCESS_KEY_ID", "profile backup of ~/.aws/credentials", "instance metadata".
    public let source: String

    public init(
        accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil, expiration: Date? = nil,
        source: String
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
        self.source = source
    }
}

/// Hands out credentials and keeps them fresh: callers ask before every request.
public protocol AWSCredentialProvider: Sendable {
    /// The current credentials, fetched anew when they are about to expire.
    ///
    /// - Parameter refresh: True after the service refused them as expired: the cached ones are dropped.
    func credentials(refresh: Bool) async throws -> AWSCredentials
}
