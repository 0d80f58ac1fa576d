import FoundationEssentials

/// Asks the sources of credentials, in the order of the vendor's own libraries, until one has some.
struct AlibabaCredentialResolver: Sendable {
    typealias Variables = AlibabaCredentialVariables

    let identity: AlibabaIdentity
    /// The storage's region, for STS.
    let region: String?
    let http: CredentialHTTP
    let now: @Sendable () -> Date

    private typealias Source = CredentialSource<AlibabaCredentials>

    func resolve() async throws -> AlibabaCredentials {
        if let refusal = identity.refusal { throw CredentialError(refusal: refusal) }
        let sources = [
            Source(identity.name(Variables.accessKeyID)) {
                try keys(Variables.accessKeyID, Variables.accessKeySecret, Variables.sessionToken)
            },
            Source(identity.name(Variables.commonKeyID)) {
                try keys(Variables.commonKeyID, Variables.commonKeySecret, Variables.commonToken)
            },
            Source(identity.name(Variables.oidcTokenFile), oidc),
            Source("profile", profile),
            Source("instance metadata") { try await instanceMetadata(role: nil, isNamed: false) },
            Source(identity.name(Variables.credentialsURI), credentialsURI),
        ]
        let found = try await Source.first(of: sources, advice: identity.advice)
        do { return try await assumingRoles(found) } catch let failure as CredentialSourceFailure {
            throw CredentialError(failure)
        }
    }

    /// Assumes the roles that variables name: that of the set, and the role's own on top of inherited keys.
    private func assumingRoles(_ found: AlibabaCredentials) async throws -> AlibabaCredentials {
        var credentials = found
        if let arn = identity.value(Variables.roleARN) {
            let role = AlibabaSTSClient.Role(arn: arn.text, sessionName: sessionName(identity.scope))
            credentials = try await sts().assume(role, with: credentials)
        }
        if let arn = identity.ownRoleARN {
            let role = AlibabaSTSClient.Role(arn: arn.text, sessionName: sessionName(.any))
            credentials = try await sts().assume(role, with: credentials)
        }
        return credentials
    }

    private func sessionName(_ scope: RoleEnvironment.Scope) -> String {
        let environment = identity.environment
        let value =
            environment.value(Variables.roleSessionName, in: scope)
            ?? environment.value(Variables.oidcSessionName, in: scope)
        return value?.text ?? "zenith"
    }

    /// The token service.
    ///
    /// - Parameters:
    ///   - region: A profile's own.
    ///   - isInVPC: The same.
    func sts(region: String? = nil, isInVPC: Bool? = nil) -> AlibabaSTSClient {
        let region = region ?? identity.environment.value(Variables.stsRegion)?.text ?? self.region
        let address = AlibabaSTSClient.endpoint(region: region, isInVPC: isInVPC ?? identity.isOn(Variables.stsInVPC))
        return AlibabaSTSClient(http: http, endpoint: address, now: now)
    }

    private func keys(
        _ idVariable: EnvironmentVariable, _ secretVariable: EnvironmentVariable, _ tokenVariable: EnvironmentVariable
    ) throws -> CredentialOutcome<AlibabaCredentials> {
        let id = identity.value(idVariable)
        let secret = identity.value(secretVariable)
        let token = identity.value(tokenVariable)
        guard let id else {
            guard let secret else { return .absent("not set") }
            throw CredentialSourceFailure(secret.variable, "is set, but \(identity.name(idVariable)) is not")
        }
        guard let secret else {
            throw CredentialSourceFailure(id.variable, "is set, but \(identity.name(secretVariable)) is not")
        }
        for value in [id, secret, token].compactMap(\.self) {
            guard value.text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw CredentialSourceFailure(value.variable, "has a space, a line break or a letter that no key has")
            }
        }
        return .found(
            AlibabaCredentials(
                accessKeyID: id.text, accessKeySecret: Secret(secret.text),
                securityToken: token.map { Secret($0.text) }, source: id.variable))
    }

    private func oidc() async throws -> CredentialOutcome<AlibabaCredentials> {
        guard let file = identity.value(Variables.oidcTokenFile) else { return .absent("not set") }
        guard let arn = identity.value(Variables.oidcRoleARN) else {
            throw CredentialSourceFailure(file.variable, "is set, but \(identity.name(Variables.oidcRoleARN)) is not")
        }
        guard let provider = identity.value(Variables.oidcProviderARN) else {
            throw CredentialSourceFailure(
                file.variable, "is set, but \(identity.name(Variables.oidcProviderARN)) is not")
        }
        let session = identity.value(Variables.oidcSessionName)?.text ?? "zenith"
        let role = AlibabaSTSClient.Role(arn: arn.text, sessionName: session)
        return .found(
            try await oidc(role, provider: provider.text, file: file.text, named: file.variable, sts: sts()))
    }

    func oidc(
        _ role: AlibabaSTSClient.Role, provider: String, file: String, named name: String, sts: AlibabaSTSClient
    ) async throws -> AlibabaCredentials {
        let token = try CredentialFile.token(identity.credentials.expandingHome(file), named: name)
        return try await sts.assume(role, provider: provider, token: token, from: name)
    }
}
