import FoundationEssentials

/// Gets a token in the way that the variables, or a cloud's entry, ask for.
struct SwiftTokenResolver: Sendable {
    typealias Variables = SwiftCredentialVariables

    let identity: SwiftIdentity
    let settings: SwiftSettings
    let http: CredentialHTTP
    let now: @Sendable () -> Date
    /// False after the storage has refused the token of `OS_AUTH_TOKEN`: others are tried before it.
    let mayUseGiven: Bool

    /// The kinds of credentials, as `OS_AUTH_TYPE` calls them, without the version.
    private enum Kind: String {
        case password, token
        case applicationCredential = "applicationcredential"
    }

    func resolve() async throws -> SwiftToken {
        if let refusal = identity.refusal { throw CredentialError(refusal: refusal) }
        let kind: Kind?
        do { kind = try self.kind() } catch { throw CredentialError(error) }
        let isGiven = settings.storageURL != nil
        var sources: [CredentialSource<SwiftToken>] = []
        func add(_ wanted: Kind, _ declaration: EnvironmentVariable, _ ask: @escaping () async throws -> Outcome) {
            guard kind == nil || kind == wanted else { return }
            sources.append(CredentialSource(identity.name(declaration), ask))
        }
        if isGiven, mayUseGiven { add(.token, Variables.token, givenToken) }
        add(.applicationCredential, Variables.applicationCredentialSecret, applicationCredential)
        add(.password, settings.prefersLegacyUser ? Variables.legacyUser : Variables.userName, password)
        if !isGiven { add(.token, Variables.token, exchangedToken) }
        if isGiven, !mayUseGiven { add(.token, Variables.token, givenToken) }
        return try await CredentialSource.first(of: sources, advice: identity.advice)
    }

    typealias Outcome = CredentialOutcome<SwiftToken>

    private func kind() throws(CredentialSourceFailure) -> Kind? {
        guard let named = identity.value(Variables.kind) else { return nil }
        var name = Substring(named.text.lowercased().filter { $0 != "_" })
        for version in ["v1", "v2", "v3"] where name.hasPrefix(version) { name = name.dropFirst(version.count) }
        guard let kind = Kind(rawValue: String(name)) else {
            throw CredentialSourceFailure(
                named.variable,
                "is \(shown(named.text)), which is not supported; "
                    + "it may be password, token or applicationcredential")
        }
        return kind
    }

    // MARK: - Sources

    private func givenToken() throws -> Outcome {
        guard let token = identity.value(Variables.token), let url = settings.storageURL else {
            return .absent("not set")
        }
        return .found(
            SwiftToken(token: try header(token), storageURL: url, source: token.variable))
    }

    private func applicationCredential() async throws -> Outcome {
        let id = identity.value(Variables.applicationCredentialID)
        let name = identity.value(Variables.applicationCredentialName)
        guard let secret = identity.value(Variables.applicationCredentialSecret) else {
            if let given = id ?? name { throw isAlone(given, without: Variables.applicationCredentialSecret) }
            return .absent("not set")
        }
        let proof: KeystoneV3.Identity
        if let id {
            proof = .applicationCredential(id: id.text, secret: Secret(secret.text))
        } else if let name {
            guard let user else { throw isAlone(name, without: Variables.userName) }
            proof = .applicationCredential(name: name.text, of: user, secret: Secret(secret.text))
        } else {
            throw isAlone(secret, without: Variables.applicationCredentialID)
        }
        let who = "application credential \(message((id ?? name)?.text ?? ""))"
        return .found(try await loggedInV3(proof, scope: nil, by: (id ?? secret).variable, who, hiding: [secret.text]))
    }

    private func password() async throws -> Outcome {
        let users = [Variables.userID, Variables.userName, Variables.legacyUser]
        let keys = [Variables.password, Variables.legacyKey]
        let first = settings.prefersLegacyUser
        guard let user = (first ? users.reversed() : users).lazy.compactMap(identity.value).first else {
            let key = keys.lazy.compactMap(identity.value).first
            if let key { throw isAlone(key, without: first ? Variables.legacyUser : Variables.userName) }
            return .absent("not set")
        }
        guard let key = (first ? keys.reversed() : keys).lazy.compactMap(identity.value).first else {
            throw isAlone(user, without: first ? Variables.legacyKey : Variables.password)
        }
        let who = "user \(message(user.text))"
        let isID = user == identity.value(Variables.userID)
        switch try await version(for: user) {
        case .one:
            return .found(try await loggedInV1(user: user, key: key, who))
        case .two:
            let password = KeystoneV2.Proof.Password(
                username: isID ? nil : user.text, userId: isID ? user.text : nil, password: key.text)
            return .found(
                try await loggedInV2(.init(passwordCredentials: password), by: user.variable, who, hiding: [key.text]))
        case .three:
            let reference =
                isID ? KeystoneV3.Reference(id: user.text) : .init(name: user.text, domain: userDomain)
            return .found(
                try await loggedInV3(
                    .password(reference, Secret(key.text)), scope: scope, by: user.variable, who, hiding: [key.text]))
        }
    }

    /// A token that is exchanged for one of the project, with the catalogue.
    private func exchangedToken() async throws -> Outcome {
        guard let token = identity.value(Variables.token) else { return .absent("not set") }
        switch try await version(for: token) {
        case .one:
            throw CredentialSourceFailure(
                token.variable, "needs \(SwiftVariables.storageURL.name) beside it: version 1 does not exchange tokens")
        case .two:
            return .found(
                try await loggedInV2(
                    .init(token: .init(id: token.text)), by: token.variable, "exchanged", hiding: [token.text]))
        case .three:
            return .found(
                try await loggedInV3(
                    .token(Secret(token.text)), scope: scope, by: token.variable, "exchanged", hiding: [token.text]))
        }
    }

    // MARK: - What is named beside

    private var user: KeystoneV3.Reference? {
        if let id = identity.value(Variables.userID) { return .init(id: id.text) }
        return identity.value(Variables.userName).map { .init(name: $0.text, domain: userDomain) }
    }

    private func domain(_ id: EnvironmentVariable, _ name: EnvironmentVariable) -> KeystoneV3.Domain? {
        if let id = identity.value(id) { return .init(id: id.text) }
        return identity.value(name).map { .init(name: $0.text) }
    }

    private var defaultDomain: KeystoneV3.Domain {
        domain(Variables.defaultDomainID, Variables.defaultDomainName) ?? .init(id: "default")
    }

    private var userDomain: KeystoneV3.Domain {
        domain(Variables.userDomainID, Variables.userDomainName) ?? defaultDomain
    }

    private var scope: KeystoneV3.Scope? {
        if let trust = identity.value(Variables.trustID) { return .init(trust: .init(id: trust.text)) }
        if let id = identity.value(Variables.projectID) { return .init(project: .init(id: id.text)) }
        guard let name = identity.value(Variables.projectName) else { return nil }
        let domain = domain(Variables.projectDomainID, Variables.projectDomainName) ?? userDomain
        return .init(project: .init(name: name.text, domain: domain))
    }

    /// The project in words, for messages.
    var projectWords: String {
        let project = identity.value(Variables.projectName) ?? identity.value(Variables.projectID)
        return project.map { ", project \(message($0.text))" } ?? ""
    }

    private func isAlone(
        _ value: RoleEnvironment.Value, without other: EnvironmentVariable
    ) -> CredentialSourceFailure {
        CredentialSourceFailure(value.variable, "is set, but \(identity.name(other)) is not")
    }

    /// A value that goes into the head of a request.
    func header(_ value: RoleEnvironment.Value) throws(CredentialSourceFailure) -> Secret {
        guard value.text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw CredentialSourceFailure(value.variable, "has a line break or control character in it")
        }
        return Secret(value.text)
    }
}
