import Digests
import FoundationEssentials

/// Exchanges what a file of credentials holds for a token.
struct GoogleTokenExchange: Sendable {
    let http: CredentialHTTP
    let now: @Sendable () -> Date

    /// Reading and writing objects, and no more.
    static let storageScope = "https://www.googleapis.com/auth/devstorage.read_write"
    /// What it takes to ask for another account's token.
    static let cloudScope = "https://www.googleapis.com/auth/cloud-platform"
    private static let tokenService = "https://oauth2.googleapis.com/token"
    /// The longest that Google lets an assertion live.
    private static let assertionSeconds = 3600

    /// - Parameter name: What led to the file, for messages.
    func token(of file: GoogleCredentialFile, named name: String, scope: String) async throws -> GoogleToken {
        switch file.type {
        case "service_account": return try await serviceAccount(file, name, scope)
        case "authorized_user": return try await user(file, name)
        case "external_account": return try await federated(file, name, scope)
        case "impersonated_service_account": return try await impersonated(file, name, scope)
        case let type?:
            throw CredentialSourceFailure(
                name,
                "credentials of the type \(shown(type)) are not supported; those of service_account, authorized_user, "
                    + "external_account and impersonated_service_account are")
        case nil: throw CredentialSourceFailure(name, "the file has no type")
        }
    }

    // MARK: - Accounts

    private func serviceAccount(
        _ file: GoogleCredentialFile, _ name: String, _ scope: String
    ) async throws -> GoogleToken {
        let email = try required(file.clientEmail, "client_email", name)
        let pem = try required(file.privateKey, "private_key", name)
        let source = "\(name) (service account \(message(email)))"
        let assertion: Secret
        do throws(RSAPrivateKey.Failure) {
            assertion = Secret(
                try Self.assertion(
                    email: email, keyID: file.privateKeyID, key: try RSAPrivateKey(pem: pem), scope: scope,
                    issuedAt: Int(now().timeIntervalSince1970)))
        } catch {
            throw CredentialSourceFailure(source, "its private_key cannot be used: \(error)")
        }
        let url = try secureURL(file.tokenURI ?? Self.tokenService, "token_uri", name)
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.reveal()),
        ]
        let answer = try await post(fields, to: url, source: source, hiding: [assertion])
        return token(answer, source, file)
    }

    /// What a service account signs with its key to get a token: the claims and order of Google's own library.
    static func assertion(
        email: String, keyID: String?, key: RSAPrivateKey, scope: String, issuedAt: Int
    ) throws(RSAPrivateKey.Failure) -> String {
        var header: JSONWebToken.Fields = [("typ", .text("JWT")), ("alg", .text("RS256"))]
        if let keyID { header.append(("kid", .text(keyID))) }
        return try JSONWebToken.signed(
            header: header,
            claims: [
                ("iat", .number(issuedAt)), ("exp", .number(issuedAt + assertionSeconds)), ("iss", .text(email)),
                ("aud", .text(tokenService)), ("scope", .text(scope)),
            ], with: key)
    }

    private func user(_ file: GoogleCredentialFile, _ name: String) async throws -> GoogleToken {
        let refreshToken = Secret(try required(file.refreshToken, "refresh_token", name))
        let secret = Secret(try required(file.clientSecret, "client_secret", name))
        let fields = [
            ("grant_type", "refresh_token"), ("client_id", try required(file.clientID, "client_id", name)),
            ("client_secret", secret.reveal()), ("refresh_token", refreshToken.reveal()),
        ]
        // The file does not say whose it is: four digits tell two users apart.
        let login = Digest.sha256(refreshToken.reveal().utf8).prefix(2).hexadecimal
        let source = "\(name) (user, login \(login))"
        let url = try secureURL(file.tokenURI ?? Self.tokenService, "token_uri", name)
        let answer = try await post(fields, to: url, source: source, hiding: [refreshToken, secret])
        return token(answer, source, file)
    }

    /// The metadata service of the machine this runs on.
    func instanceToken(_ address: HTTPAddress, isNamed: Bool) async throws -> CredentialOutcome<GoogleToken> {
        let name = "instance metadata"
        let account = "\(address.text)/computeMetadata/v1/instance/service-accounts/default"
        func ask(_ item: String) async throws -> HTTPFetchResponse {
            try await http.send(
                HTTPFetchRequest(
                    url: "\(account)/\(item)", headers: [("Metadata-Flavor", "Google")], timeout: .seconds(3)),
                from: name, attempts: isNamed ? 3 : 2)
        }
        let answer: HTTPFetchResponse
        do { answer = try await ask("token") } catch let failure as CredentialSourceFailure where !isNamed {
            // No answer is the ordinary case outside of Google's machines.
            return .absent("\(failure.problem) from \(address.authority)")
        }
        guard answer.status == 200, let document = GoogleTokenDocument(answer.body), let text = document.accessToken
        else {
            let why = "\(address.authority) gives no token (\(answer.status)): the instance has no service account"
            if isNamed { throw CredentialSourceFailure(name, why) }
            return .absent("\(why), or it is not Google's")
        }
        var source = name
        if let email = try? await ask("email"), email.status == 200 {
            source += " (service account \(message(String(decoding: email.body, as: UTF8.self))))"
        }
        return .found(
            GoogleToken(accessToken: Secret(text), expiration: document.expiration(now()), source: source))
    }

    // MARK: - Requests

    /// Posts a form to a token service.
    func post(
        _ fields: [(String, String)], to url: String, headers: [(name: String, value: String)] = [], source: String,
        hiding secrets: [Secret]
    ) async throws -> GoogleTokenDocument {
        let body = fields.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
        let form = [(name: "Content-Type", value: "application/x-www-form-urlencoded")]
        return try await send(
            HTTPFetchRequest(method: "POST", url: url, headers: form + headers, body: Array(body.utf8)),
            source: source, hiding: secrets)
    }

    /// Sends a request for a token.
    func send(
        _ request: HTTPFetchRequest, source: String, hiding secrets: [Secret]
    ) async throws -> GoogleTokenDocument {
        let response = try await http.send(request, from: source)
        let host = request.url.split(separator: "/").dropFirst().first.map(String.init) ?? request.url
        let document = GoogleTokenDocument(response.body)
        guard response.status == 200 else {
            var text = "\(host) answered \(response.status)"
            if let refusal = document?.refusal { text += " \(message(refusal, hiding: secrets))" }
            // Google judges an assertion by its own clock, and says so in these words.
            if text.contains("iat") || text.contains("timeframe") {
                text += "; the clock here says \(now().formatted(.iso8601))"
            }
            throw CredentialSourceFailure(source, text)
        }
        guard let document, document.accessToken != nil else {
            throw CredentialSourceFailure(source, "the answer of \(host) holds no token")
        }
        return document
    }

    func token(_ document: GoogleTokenDocument, _ source: String, _ file: GoogleCredentialFile) -> GoogleToken {
        GoogleToken(
            accessToken: Secret(document.accessToken ?? ""), expiration: document.expiration(now()), source: source,
            quotaProject: file.quotaProject)
    }

    func required(_ value: String?, _ field: String, _ name: String) throws(CredentialSourceFailure) -> String {
        guard let value, !value.isEmpty else { throw CredentialSourceFailure(name, "the file has no \(field)") }
        return value
    }

    /// A URL of a file that secrets are sent to: only where they cannot be read on their way.
    func secureURL(_ text: String, _ field: String, _ name: String) throws(CredentialSourceFailure) -> String {
        // Scheme and host decide. A path may have anything, such as the `@` of an account's name.
        let origin = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).prefix(3)
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CredentialSourceFailure(name, "\(field) of the file is not a URL")
        }
        switch HTTPAddress.parse(origin.joined(separator: "/")) {
        case .failure(let fault): throw CredentialSourceFailure(name, "\(field) of the file \(fault.problem)")
        case .success(let address):
            guard address.scheme == "https" || HTTPAddress.isLoopback(authority: address.authority) else {
                throw CredentialSourceFailure(name, "\(field) of the file is plain http; it must be https")
            }
            return text
        }
    }
}
