import Digests
import FoundationEssentials

/// Tokens of other identity providers, and of accounts in whose name one may act.
extension GoogleTokenExchange {
    func federated(_ file: GoogleCredentialFile, _ name: String, _ scope: String) async throws -> GoogleToken {
        let audience = try required(file.audience, "audience", name)
        let subject = try await subjectToken(file, name)
        var fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("audience", audience),
            ("scope", file.impersonationURL == nil ? scope : Self.cloudScope),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", subject.reveal()),
            ("subject_token_type", try required(file.subjectTokenType, "subject_token_type", name)),
        ]
        var headers: [(name: String, value: String)] = []
        var secrets = [subject]
        if let id = file.clientID, let secret = file.clientSecret {
            let pair = Array("\(id):\(secret)".utf8).base64
            headers.append(("Authorization", "Basic \(pair)"))
            secrets += [Secret(secret), Secret(pair)]
        } else if let project = file.workforceProject {
            fields.append(("options", "{\"userProject\": \"\(try projectName(project, name))\"}"))
        }
        let source = "\(name) (workload identity federation, \(message(audience)))"
        let url = try secureURL(try required(file.tokenURL, "token_url", name), "token_url", name)
        let answer = try await post(fields, to: url, headers: headers, source: source, hiding: secrets)
        let own = token(answer, source, file)
        guard file.impersonationURL != nil else { return own }
        return try await acting(file, name, as: scope, by: own)
    }

    func impersonated(_ file: GoogleCredentialFile, _ name: String, _ scope: String) async throws -> GoogleToken {
        guard let base = file.base else { throw CredentialSourceFailure(name, "the file has no source_credentials") }
        guard base.type != "impersonated_service_account" else {
            throw CredentialSourceFailure(name, "its source_credentials are impersonated themselves: use delegates")
        }
        let own = try await token(of: base, named: "\(name), source_credentials", scope: Self.cloudScope)
        return try await acting(file, name, as: scope, by: own)
    }

    /// A token of the account that the file names, which the owner of another token may act for.
    private func acting(
        _ file: GoogleCredentialFile, _ name: String, as scope: String, by own: GoogleToken
    ) async throws -> GoogleToken {
        let field = "service_account_impersonation_url"
        let url = try secureURL(try required(file.impersonationURL, field, name), field, name)
        // …/serviceAccounts/EMAIL:generateAccessToken
        let account = url.split(separator: "/").last?.prefix { $0 != ":" } ?? ""
        let source = "\(name) (service account \(message(String(account))), impersonated)"
        guard let bearer = own.accessToken else {
            throw CredentialSourceFailure(source, "there is no token to begin with")
        }
        struct Request: Encodable {
            let delegates: [String]
            let scope: [String]
            let lifetime: String
        }
        let request = Request(
            delegates: file.delegates ?? [], scope: [scope],
            lifetime: "\(file.impersonation?.lifetimeSeconds ?? 3600)s")
        let answer = try await send(
            HTTPFetchRequest(
                method: "POST", url: url,
                headers: [
                    ("Content-Type", "application/json"), ("Authorization", "Bearer \(bearer.reveal())"),
                ], body: Array(try JSONEncoder().encode(request))), source: source, hiding: [bearer])
        return token(answer, source, file)
    }

    // MARK: - Tokens of other providers

    private func subjectToken(_ file: GoogleCredentialFile, _ name: String) async throws -> Secret {
        guard let source = file.subjectSource else {
            throw CredentialSourceFailure(name, "the file has no credential_source")
        }
        if let path = source.file {
            return try subjectToken(
                try CredentialFile.text(path, named: "\(name), credential_source"), source.format, name)
        }
        // AWS' form has an address too, of keys that would have to sign a request.
        let unread =
            source.environmentID.map { "environment \(shown($0))" } ?? (source.executable.map { _ in "an executable" })
            ?? (source.certificate.map { _ in "a certificate" })
        guard unread == nil, let url = source.url else {
            throw CredentialSourceFailure(
                name,
                "credential_source is \(unread ?? "of an unknown kind"), which is not supported: a file or a URL is")
        }
        let headers = (source.headers ?? [:]).sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        guard headers.allSatisfy({ isHeader($0.name) && isHeader($0.value) }) else {
            throw CredentialSourceFailure(name, "credential_source has headers that cannot be sent")
        }
        let response = try await http.send(
            HTTPFetchRequest(url: try subjectURL(url, name), headers: headers), from: "\(name), credential_source")
        guard response.status == 200 else {
            throw CredentialSourceFailure(name, "the URL of credential_source answered \(response.status)")
        }
        return try subjectToken(String(decoding: response.body, as: UTF8.self), source.format, name)
    }

    private func isHeader(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }

    /// Metadata services of other clouds speak plain http on the machine's own link.
    private func subjectURL(_ text: String, _ name: String) throws(CredentialSourceFailure) -> String {
        if text.hasPrefix("http://169.254.") { return text }
        return try secureURL(text, "credential_source.url", name)
    }

    private func subjectToken(
        _ text: String, _ format: GoogleCredentialFile.SubjectSource.Format?, _ name: String
    ) throws(CredentialSourceFailure) -> Secret {
        switch format?.type ?? "text" {
        case "text":
            let words = text.split(whereSeparator: \.isWhitespace)
            guard words.count == 1 else {
                throw CredentialSourceFailure(name, "credential_source does not hold one token")
            }
            return Secret(String(words[0]))
        case "json":
            let field = try required(format?.tokenField, "credential_source.format.subject_token_field_name", name)
            // Other members may be of any kind.
            let members = try? JSONDecoder().decode([String: TextMember].self, from: Data(text.utf8))
            guard let token = members?[field]?.text, !token.isEmpty else {
                throw CredentialSourceFailure(name, "credential_source has no token in \(shown(field)) of its JSON")
            }
            return Secret(token)
        case let type:
            throw CredentialSourceFailure(
                name, "credential_source has the format \(shown(type)); text and json are known")
        }
    }

    private func projectName(_ text: String, _ name: String) throws(CredentialSourceFailure) -> String {
        guard text.utf8.allSatisfy({ PercentEncoding.isUnreserved($0) || $0 == UInt8(ascii: ":") }) else {
            throw CredentialSourceFailure(name, "workforce_pool_user_project is not the name of a project")
        }
        return text
    }
}

/// A member of a JSON object, where it is text.
private struct TextMember: Decodable {
    let text: String?
    init(from decoder: any Decoder) throws { text = try? decoder.singleValueContainer().decode(String.self) }
}

/// What a token service answers: a token, or in one of two forms why there is none.
struct GoogleTokenDocument: Decodable, Sendable {
    let accessToken: String?
    private let expiresIn: Int?
    private let expireTime: String?
    private let error: Refusal?
    private let errorDescription: String?

    /// `"invalid_grant"`, or an object of Google's APIs.
    private struct Refusal: Decodable, Sendable {
        let text: String
        private enum CodingKeys: String, CodingKey { case status, message }

        init(from decoder: any Decoder) throws {
            if let name = try? decoder.singleValueContainer().decode(String.self) {
                text = name
            } else {
                let object = try decoder.container(keyedBy: CodingKeys.self)
                let parts = [CodingKeys.status, .message].compactMap { try? object.decode(String.self, forKey: $0) }
                text = parts.joined(separator: ": ")
            }
        }
    }

    private enum CodingKeys: String, CodingKey {
        case error, expireTime
        case accessToken = "access_token"
        case impersonatedToken = "accessToken"
        case expiresIn = "expires_in"
        case errorDescription = "error_description"
    }

    init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ key: CodingKeys) -> String? { try? object.decode(String.self, forKey: key) }
        let token = text(.accessToken) ?? text(.impersonatedToken)
        // It becomes a header.
        accessToken = token.flatMap { token in
            !token.isEmpty && token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? token : nil
        }
        expiresIn = try? object.decode(Int.self, forKey: .expiresIn)
        expireTime = text(.expireTime)
        error = try? object.decode(Refusal.self, forKey: .error)
        errorDescription = text(.errorDescription)
    }

    /// Nil where the bytes are no JSON object.
    init?(_ body: [UInt8]) {
        guard let document = try? JSONDecoder().decode(GoogleTokenDocument.self, from: Data(body)) else { return nil }
        self = document
    }

    var refusal: String? {
        let parts = [error?.text, errorDescription].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: ": ")
    }

    func expiration(_ now: Date) -> Date? {
        if let expiresIn { return now.addingTimeInterval(Double(expiresIn)) }
        return expireTime.flatMap(serviceTime)
    }
}
