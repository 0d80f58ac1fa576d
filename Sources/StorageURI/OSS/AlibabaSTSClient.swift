import Digests
import FoundationEssentials

/// The two calls of Alibaba Cloud's Security Token Service that make keys of a role.
struct AlibabaSTSClient: Sendable {
    let http: CredentialHTTP
    let endpoint: HTTPAddress
    let now: @Sendable () -> Date

    /// What role to assume, and how.
    struct Role: Sendable {
        var arn: String
        var sessionName: String
        var externalID: String?
        var policy: String?
        var durationSeconds = 3600
    }

    typealias Field = (name: String, value: String)

    /// The vendor's endpoint in a region; the global one where none is known.
    static func endpoint(region: String?, isInVPC: Bool) -> HTTPAddress {
        let name = isInVPC ? "sts-vpc" : "sts"
        let host = region.map { "\(name).\($0).aliyuncs.com" } ?? "sts.aliyuncs.com"
        return HTTPAddress(scheme: "https", authority: host, path: "")
    }

    func assume(_ role: Role, with base: AlibabaCredentials) async throws -> AlibabaCredentials {
        let source = "role \(message(role.arn)) assumed with \(base.source)"
        return try await send(source: source, hiding: [base.accessKeySecret, base.securityToken]) {
            var fields = fields("AssumeRole", role)
            if let id = role.externalID { fields.append(("ExternalId", id)) }
            // Taken once: a try whose answer was lost may have used it up.
            let nonce = (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 16) }.joined()
            return fields + Self.signed(fields, with: base, nonce: nonce)
        }
    }

    /// - Parameters:
    ///   - provider: The ARN of the identity provider that gave the token.
    ///   - name: What names the token's file, for messages.
    func assume(
        _ role: Role, provider: String, token: Secret, from name: String
    ) async throws -> AlibabaCredentials {
        let source = "role \(message(role.arn)) assumed with the token of \(name)"
        return try await send(source: source, hiding: [token]) {
            fields("AssumeRoleWithOIDC", role) + [("OIDCProviderArn", provider), ("OIDCToken", token.reveal())]
        }
    }

    private func fields(_ action: String, _ role: Role) -> [Field] {
        var fields: [Field] = [
            ("Action", action), ("Format", "JSON"), ("Version", "2015-04-01"),
            ("DurationSeconds", String(role.durationSeconds)), ("RoleArn", role.arn),
            ("RoleSessionName", role.sessionName), ("Timestamp", now().formatted(.iso8601)),
        ]
        if let policy = role.policy { fields.append(("Policy", policy)) }
        return fields
    }

    /// The fields to add to a call, so that it is signed: HMAC-SHA1, version 1.0 of the vendor's RPC style.
    static func signed(_ fields: [Field], with credentials: AlibabaCredentials, nonce: String) -> [Field] {
        var added: [Field] = [
            ("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0"), ("SignatureNonce", nonce),
            ("AccessKeyId", credentials.accessKeyID),
        ]
        if let token = credentials.securityToken { added.append(("SecurityToken", token.reveal())) }
        let sorted = (fields + added).sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        let text = "POST&%2F&\(PercentEncoding.encode(encoded(sorted)))"
        let key = Array("\(credentials.accessKeySecret.reveal())&".utf8)
        return added + [("Signature", Digest.hmacSHA1(key: key, text.utf8).base64)]
    }

    private static func encoded(_ fields: [Field]) -> String {
        fields.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
    }

    private func send(
        source: String, hiding secrets: [Secret?], _ fields: () -> [Field]
    ) async throws -> AlibabaCredentials {
        let response = try await http.send(from: source) {
            // In the body: an address may be written to logs on its way, and the fields hold tokens.
            HTTPFetchRequest(
                method: "POST", url: "\(endpoint.text)/",
                headers: [("Content-Type", "application/x-www-form-urlencoded")],
                body: Array(Self.encoded(fields()).utf8))
        }
        return try AlibabaDocument.credentials(
            response, source: source, hiding: secrets.compactMap(\.self), host: endpoint.host)
    }
}
