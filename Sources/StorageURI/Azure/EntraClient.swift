import FoundationEssentials

/// The token service of Entra, Microsoft's directory of identities.
struct EntraClient: Sendable {
    let http: CredentialHTTP
    /// Such as `https://login.microsoftonline.com`.
    let authority: HTTPAddress
    let now: @Sendable () -> Date

    /// Who asks.
    struct Client: Sendable {
        let tenant: String
        let id: String
        /// The variable that holds its proof, or the name of the file with it.
        let variable: String

        init(_ tenant: String, _ id: String, _ variable: String) {
            self.tenant = tenant
            self.id = id
            self.variable = variable
        }
    }

    private static let assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

    func token(_ client: Client, secret: Secret) async throws -> AzureCredentials {
        try await token(client, proof: [("client_secret", secret.reveal())], hiding: secret)
    }

    /// - Parameter assertion: A token of another identity provider, which the application trusts.
    func token(_ client: Client, assertion: Secret) async throws -> AzureCredentials {
        try await token(
            client,
            proof: [("client_assertion_type", Self.assertionType), ("client_assertion", assertion.reveal())],
            hiding: assertion)
    }

    func token(_ client: Client, certificate: AzureClientCertificate, now: Date) async throws -> AzureCredentials {
        let assertion = try certificate.assertion(
            client: client.id, audience: url(client), id: UUID().uuidString.lowercased(), now: now)
        return try await token(client, assertion: assertion)
    }

    private func url(_ client: Client) -> String { "\(authority.text)/\(client.tenant)/oauth2/v2.0/token" }

    private func token(
        _ client: Client, proof: [(String, String)], hiding secret: Secret
    ) async throws -> AzureCredentials {
        let fields =
            [
                ("client_id", client.id), ("grant_type", "client_credentials"),
                ("scope", "\(AzureCredentialResolver.resource).default"),
            ] + proof
        let body = fields.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        let request = HTTPFetchRequest(
            method: "POST", url: url(client),
            headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
            body: Array(body.utf8), timeout: .seconds(30))
        let response = try await http.send(request, from: client.variable)
        return try EntraToken.credentials(
            response, from: authority.host, source: client.variable,
            identity: "application \(client.id) of tenant \(client.tenant)", hiding: [secret], now: now())
    }
}

/// What Entra and the services for managed identities answer.
struct EntraToken: Decodable {
    private let token, error, explanation: String?
    private let life, end: Seconds?

    private enum CodingKeys: String, CodingKey {
        case token = "access_token"
        case error
        case explanation = "error_description"
        case life = "expires_in"
        case end = "expires_on"
    }

    /// A number, which some of the services write as a text.
    private struct Seconds: Decodable {
        let value: Double?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                value = number
            } else {
                value = Double(try container.decode(String.self))
            }
        }
    }

    static func credentials(
        _ response: HTTPFetchResponse, from host: String, source: String, identity: String, hiding secrets: [Secret],
        now: Date
    ) throws -> AzureCredentials {
        let answer = try? JSONDecoder().decode(EntraToken.self, from: Data(response.body))
        guard response.status == 200 else {
            let words = [answer?.error, answer?.explanation].compactMap(\.self).joined(separator: ": ")
            throw CredentialSourceFailure(
                source,
                message("\(host) answered \(response.status)\(words.isEmpty ? "" : " \(words)")", hiding: secrets))
        }
        // A successful answer may hold a token, and is not shown.
        guard let answer else {
            throw CredentialSourceFailure(source, "the answer of \(host) is not the JSON expected")
        }
        guard let token = answer.token, !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CredentialSourceFailure(source, "the answer of \(host) holds no access_token")
        }
        let expiration: Date
        if let life = answer.life?.value {
            expiration = now.addingTimeInterval(life)
        } else if let end = answer.end?.value {
            expiration = Date(timeIntervalSince1970: end)
        } else {
            throw CredentialSourceFailure(source, "the answer of \(host) does not say how long its token lasts")
        }
        return AzureCredentials(
            kind: .token(Secret(token)), expiration: expiration, source: source, identity: message(identity))
    }
}
