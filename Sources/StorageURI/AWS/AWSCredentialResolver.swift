import FoundationEssentials

/// Asks the sources of credentials, in the order of Amazon's own libraries, until one has some.
///
/// A source that is not configured is passed over. One that is configured and fails ends the search: going on would
/// quietly be another identity.
struct AWSCredentialResolver: Sendable {
    typealias Variables = AWSCredentialVariables

    let identity: AWSIdentity
    /// The storage's region, for STS.
    let region: String?
    let http: CredentialHTTP
    let now: @Sendable () -> Date

    func resolve() async throws -> AWSCredentials {
        if let refusal = identity.refusal { throw AWSCredentialError(refusal: refusal) }
        var attempts: [AWSCredentialError.Attempt] = []
        do {
            let sources: [(String, () async throws -> CredentialOutcome)] = [
                (identity.name(Variables.accessKeyID), environmentKeys),
                (identity.name(Variables.webIdentityTokenFile), webIdentity),
                ("profile", profile),
                (identity.name(Variables.containerFullURI), containerCredentials),
                ("instance metadata", { try await instanceMetadata(isNamed: false) }),
            ]
            for (name, ask) in sources {
                switch try await ask() {
                case .found(let credentials): return try await assumingRoles(credentials)
                case .absent(let why): attempts.append(.init(source: name, outcome: why))
                }
            }
        } catch let failure as CredentialSourceFailure {
            throw AWSCredentialError(failure, after: attempts)
        } catch let error as SettingsError {
            throw AWSCredentialError(CredentialSourceFailure("profile", error.description), after: attempts)
        }
        let advice =
            "set \(identity.name(Variables.accessKeyID)) and \(identity.name(Variables.secretAccessKey)), or "
            + identity.name(Variables.profile)
        throw AWSCredentialError(noneIn: attempts, advice: advice)
    }

    /// Assumes the roles that variables name: that of the set, and the role's own on top of inherited keys.
    private func assumingRoles(_ found: AWSCredentials) async throws -> AWSCredentials {
        var credentials = found
        // Beside a token file the variable names the role of that token.
        if let arn = identity.value(Variables.roleARN), identity.value(Variables.webIdentityTokenFile) == nil {
            let role = STSClient.Role(arn: arn.text, sessionName: sessionName(identity.scope))
            credentials = try await sts(endpointScope: identity.scope).assume(role, with: credentials)
        }
        if let arn = identity.ownRoleARN {
            let role = STSClient.Role(arn: arn.text, sessionName: sessionName(.any))
            credentials = try await sts(endpointScope: .any).assume(role, with: credentials)
        }
        return credentials
    }

    // MARK: - Sources

    func environmentKeys() throws -> CredentialOutcome {
        let id = identity.value(Variables.accessKeyID)
        let secret = identity.value(Variables.secretAccessKey)
        let token = identity.value(Variables.sessionToken)
        guard let id else {
            guard let secret else { return .absent("not set") }
            throw CredentialSourceFailure(
                secret.variable, "is set, but \(identity.name(Variables.accessKeyID)) is not")
        }
        guard let secret else {
            throw CredentialSourceFailure(
                id.variable, "is set, but \(identity.name(Variables.secretAccessKey)) is not")
        }
        for value in [id, secret, token].compactMap(\.self) {
            guard value.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw CredentialSourceFailure(value.variable, "has a space, a line break or a letter that no key has")
            }
        }
        return .found(
            AWSCredentials(
                accessKeyID: id.text, secretAccessKey: Secret(secret.text),
                sessionToken: token.map { Secret($0.text) }, source: id.variable))
    }

    private func webIdentity() async throws -> CredentialOutcome {
        guard let file = identity.value(Variables.webIdentityTokenFile) else { return .absent("not set") }
        guard let arn = identity.value(Variables.roleARN) else {
            throw CredentialSourceFailure(file.variable, "is set, but \(identity.name(Variables.roleARN)) is not")
        }
        let role = STSClient.Role(arn: arn.text, sessionName: sessionName(identity.scope))
        return .found(try await webIdentity(role, file: file.text, named: file.variable, region: region))
    }

    func webIdentity(
        _ role: STSClient.Role, file: String, named name: String, region: String?
    ) async throws -> AWSCredentials {
        let token = try secretFile(file, named: name)
        let client = try sts(endpointScope: identity.scope, region: region)
        return try await client.assume(role, webIdentity: token, from: name)
    }

    /// A token in a file. It may be replaced at any time, so it is read at each use.
    func secretFile(_ path: String, named name: String) throws -> Secret {
        let text: String
        do throws(TextFile.Failure) { text = try TextFile.read(path) } catch {
            switch error {
            case .missing: throw CredentialSourceFailure(name, "no such file: \(shown(path))")
            case .unreadable(let why): throw CredentialSourceFailure(name, "\(shown(path)): \(why)")
            }
        }
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 1 else { throw CredentialSourceFailure(name, "\(shown(path)) does not hold one token") }
        return Secret(String(words[0]))
    }

    func sessionName(_ scope: RoleEnvironment.Scope) -> String {
        identity.environment.value(Variables.roleSessionName, in: scope)?.text ?? "zenith"
    }

    /// The token service.
    ///
    /// - Parameter endpointScope: The variables to find it by. An inherited identity is made where its own variables
    ///   say, not at the endpoint of the role that inherits it.
    func sts(endpointScope: RoleEnvironment.Scope, region: String? = nil) throws -> STSClient {
        let scope = endpointScope == .ownOnly ? .any : endpointScope
        let profiles = try AWSProfiles(identity)
        let region = region ?? self.region ?? profiles?.profile?["region"]
        var address = STSClient.amazonEndpoint(region: region)
        let environment = identity.environment
        let named =
            environment.value(Variables.stsEndpoint, in: scope)
            ?? environment.value(anyOf: ["AWS_ENDPOINT_URL"], in: scope)
        let url = named?.text ?? profiles?.endpoint(service: "sts")
        if let url {
            switch HTTPAddress.parse(url) {
            case .success(let parsed): address = parsed
            case .failure(let fault):
                throw CredentialSourceFailure(named?.variable ?? "endpoint_url of the profile", fault.problem)
            }
        }
        return STSClient(http: http, endpoint: address, region: region ?? "us-east-1", now: now)
    }
}
