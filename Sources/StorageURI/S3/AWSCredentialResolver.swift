import FoundationEssentials

/// Asks the sources of credentials, in the order of Amazon's own libraries, until one has some.
struct AWSCredentialResolver: Sendable {
    typealias Variables = AWSCredentialVariables

    let identity: AWSIdentity
    /// The storage's region, for STS.
    let region: String?
    let http: CredentialHTTP
    /// Runs the programs of profiles; nil where none may be run.
    let programs: (any ProgramRunner)?
    let now: @Sendable () -> Date

    func resolve() async throws -> AWSCredentials {
        if let refusal = identity.refusal { throw CredentialError(refusal: refusal) }
        let found = try await CredentialSource.first(
            of: [
                CredentialSource(identity.name(Variables.accessKeyID), environmentKeys),
                CredentialSource(identity.name(Variables.webIdentityTokenFile), webIdentity),
                CredentialSource("profile", profile),
                CredentialSource(identity.name(Variables.containerFullURI), containerCredentials),
                CredentialSource("instance metadata") { try await instanceMetadata(isNamed: false) },
            ], advice: identity.advice)
        do { return try await assumingRoles(found) } catch let failure as CredentialSourceFailure {
            throw CredentialError(failure)
        }
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

    func environmentKeys() throws -> CredentialOutcome<AWSCredentials> {
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

    private func webIdentity() async throws -> CredentialOutcome<AWSCredentials> {
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
        let token = try CredentialFile.token(file, named: name)
        let client = try sts(endpointScope: identity.scope, region: region)
        return try await client.assume(role, webIdentity: token, from: name)
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
