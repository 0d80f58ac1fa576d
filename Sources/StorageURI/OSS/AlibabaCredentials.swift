public import FoundationEssentials

/// One set of keys for OSS and STS.
public struct AlibabaCredentials: ExpiringCredential {
    public let accessKeyID: String
    public let accessKeySecret: Secret
    public let securityToken: Secret?
    /// When the service stops accepting them; nil: never.
    public let expiration: Date?
    /// Where they came from, for people: "OSS_ACCESS_KEY_ID", "profile backup of ~/.aliyun/config.json".
    public let source: String

    public init(
        accessKeyID: String, accessKeySecret: Secret, securityToken: Secret? = nil, expiration: Date? = nil,
        source: String
    ) {
        self.accessKeyID = accessKeyID
        self.accessKeySecret = accessKeySecret
        self.securityToken = securityToken
        self.expiration = expiration
        self.source = source
    }
}

/// Hands out credentials and keeps them fresh: callers ask before every request.
public protocol AlibabaCredentialProvider: Sendable {
    /// The current credentials, fetched anew when they are about to expire.
    ///
    /// - Parameter refresh: True after the service refused them as expired: the cached ones are dropped.
    func credentials(refresh: Bool) async throws -> AlibabaCredentials
}
