import FoundationEssentials

/// The two calls of Amazon's Security Token Service that make keys of a role.
struct STSClient: Sendable {
    let http: CredentialHTTP
    let endpoint: HTTPAddress
    let region: String
    let now: @Sendable () -> Date

    /// What role to assume, and how.
    struct Role: Sendable {
        var arn: String
        var sessionName: String
        var externalID: String?
        var durationSeconds: String?
    }

    /// Amazon's endpoint in a region; the global one where none is known.
    static func amazonEndpoint(region: String?) -> HTTPAddress {
        guard let region else { return HTTPAddress(scheme: "https", authority: "sts.amazonaws.com", path: "") }
        let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        return HTTPAddress(scheme: "https", authority: "sts.\(region).\(domain)", path: "")
    }

    func assume(_ role: Role, with base: AWSCredentials) async throws -> AWSCredentials {
        let source = "role \(message(role.arn)) assumed with \(base.source)"
        var request = request("AssumeRole", role)
        let signature = SignatureV4.Request(
            method: "POST", host: endpoint.authority, path: "\(endpoint.path)/", headers: request.headers,
            payloadHash: SignatureV4.payloadHash(request.body))
        request.headers += SignatureV4(region: region, service: "sts").headers(
            for: signature, credentials: base, date: now())
        let response = try await http.send(request, from: source)
        return try credentials(
            response, source: source, hiding: [base.secretAccessKey, base.sessionToken].compactMap(\.self))
    }

    func assume(_ role: Role, webIdentity token: Secret, from file: String) async throws -> AWSCredentials {
        let source = "role \(message(role.arn)) assumed with the web identity of \(file)"
        let request = request("AssumeRoleWithWebIdentity", role, token: token)
        let response = try await http.send(request, from: source)
        return try credentials(response, source: source, hiding: [token])
    }

    private func request(_ action: String, _ role: Role, token: Secret? = nil) -> HTTPFetchRequest {
        var fields = [
            ("Action", action), ("Version", "2011-06-15"), ("RoleArn", role.arn),
            ("RoleSessionName", role.sessionName),
        ]
        if let id = role.externalID { fields.append(("ExternalId", id)) }
        if let duration = role.durationSeconds { fields.append(("DurationSeconds", duration)) }
        if let token { fields.append(("WebIdentityToken", token.reveal())) }
        let body = fields.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        return HTTPFetchRequest(
            method: "POST", url: "\(endpoint.text)/",
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], body: Array(body.utf8))
    }

    private func credentials(
        _ response: HTTPFetchResponse, source: String, hiding secrets: [Secret]
    ) throws -> AWSCredentials {
        let text = String(decoding: response.body, as: UTF8.self)
        guard response.status == 200 else {
            let parts = ["Code", "Message"].compactMap { Self.element($0, in: text) }
            let id = Self.element("RequestId", in: text).map { ", request \($0)" } ?? ""
            let explanation = parts.isEmpty ? "" : " \(parts.joined(separator: ": "))"
            throw CredentialSourceFailure(
                source, message("\(endpoint.host) answered \(response.status)\(explanation)\(id)", hiding: secrets))
        }
        guard let part = Self.element("Credentials", in: text), let id = Self.element("AccessKeyId", in: part),
            let secret = Self.element("SecretAccessKey", in: part), !id.isEmpty, !secret.isEmpty
        else { throw CredentialSourceFailure(source, "the answer of \(endpoint.host) holds no keys") }
        let expiration = Self.element("Expiration", in: part)
        let date = expiration.flatMap(serviceTime)
        guard expiration == nil || date != nil else {
            throw CredentialSourceFailure(source, "the answer's Expiration is not a time")
        }
        return AWSCredentials(
            accessKeyID: id, secretAccessKey: Secret(secret),
            sessionToken: Self.element("SessionToken", in: part).map { Secret($0) }, expiration: date, source: source)
    }

    /// What stands between the first `<name>` and its end. The service's answers are flat: no XML reader is needed.
    private static func element(_ name: String, in text: String) -> String? {
        guard let start = text.firstRange(of: "<\(name)>"),
            let end = text[start.upperBound...].firstRange(of: "</\(name)>")
        else { return nil }
        var content = String(text[start.upperBound..<end.lowerBound])
        guard content.contains("&") else { return content }
        for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")] {
            content = content.replacing(entity, with: character)
        }
        return content
    }
}
