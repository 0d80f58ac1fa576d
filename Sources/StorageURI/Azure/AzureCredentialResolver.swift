import Digests
import FoundationEssentials

/// Asks the sources of credentials, in the order of Microsoft's tools, until one has some.
struct AzureCredentialResolver: Sendable {
    typealias Variables = AzureCredentialVariables

    let identity: AzureIdentity
    let settings: AzureSettings
    let http: CredentialHTTP
    let now: @Sendable () -> Date

    func resolve() async throws -> AzureCredentials {
        if let refusal = identity.refusal { throw CredentialError(refusal: refusal) }
        return try await CredentialSource.first(
            of: [
                CredentialSource(identity.name(Variables.connectionString), connectionString),
                CredentialSource(identity.name(Variables.accessKey), accessKey),
                CredentialSource(identity.name(Variables.sasToken), sasToken),
                CredentialSource(identity.name(Variables.clientSecret), application),
                CredentialSource(identity.name(Variables.federatedTokenFile), workloadIdentity),
                CredentialSource("managed identity", managedIdentity),
            ], advice: identity.advice)
    }

    // MARK: - The account's own

    private func connectionString() throws -> CredentialOutcome<AzureCredentials> {
        guard let value = identity.value(Variables.connectionString) else { return .absent("not set") }
        let parsed: AzureConnectionString
        do throws(AzureConnectionString.Fault) {
            parsed = try AzureConnectionString(Secret(value.text), suffix: settings.cloud.endpointSuffix)
        } catch { throw CredentialSourceFailure(value.variable, error.problem) }
        if let account = parsed.account, let other = settings.service.account, account != other {
            throw CredentialSourceFailure(
                value.variable, "is for the account \(shown(account)), and the storage is in \(shown(other))")
        }
        if let account = parsed.account, let key = parsed.key {
            return .found(try sharedKey(account, key, from: value.variable))
        }
        if let signature = parsed.signature { return .found(try signed(signature, from: value.variable)) }
        return .absent("has neither AccountKey nor SharedAccessSignature")
    }

    private func accessKey() throws -> CredentialOutcome<AzureCredentials> {
        guard let value = identity.value(Variables.accessKey) else { return .absent("not set") }
        // A key belongs to one account: the set's own.
        let variable = identity.name(AzureVariables.account)
        guard let account = settings.service.account, identity.scope != .ownOnly || settings.isAccountOwn else {
            throw CredentialSourceFailure(value.variable, "is set, but \(variable) is not")
        }
        if settings.isAccountOwn, identity.scope == .unprefixedOnly,
            let other = identity.environment.value(AzureVariables.account, in: .unprefixedOnly), other.text != account
        {
            throw CredentialSourceFailure(
                value.variable,
                "is the key of the account \(shown(other.text)), and the storage is in \(shown(account))")
        }
        return .found(try sharedKey(account, Secret(value.text), from: value.variable))
    }

    private func sharedKey(_ account: String, _ key: Secret, from variable: String) throws -> AzureCredentials {
        guard let bytes = [UInt8](base64: key.reveal()), !bytes.isEmpty else {
            throw CredentialSourceFailure(variable, "holds a key that is not Base64")
        }
        return AzureCredentials(
            kind: .sharedKey(account: account, key: key), source: variable, identity: "account \(account)")
    }

    private func sasToken() throws -> CredentialOutcome<AzureCredentials> {
        guard let value = identity.value(Variables.sasToken) else { return .absent("not set") }
        return .found(try signed(Secret(value.text), from: value.variable))
    }

    private func signed(_ text: Secret, from variable: String) throws -> AzureCredentials {
        let signature: AzureSignatureToken
        do throws(AzureSignatureToken.Fault) { signature = try AzureSignatureToken(text) } catch {
            throw CredentialSourceFailure(variable, error.problem)
        }
        let account = settings.service.account.map { ["account \($0)"] } ?? []
        return AzureCredentials(
            kind: .signature(signature.query), source: variable,
            identity: (account + signature.words).joined(separator: ", "))
    }

    // MARK: - Identities of Entra

    /// The sources of the default chain, by the names that its own variable has for them.
    enum Link: String {
        case application = "environmentcredential"
        case workload = "workloadidentitycredential"
        case managed = "managedidentitycredential"
    }

    /// Why a source of the default chain is not to be asked; nil when it is.
    func exclusion(_ link: Link) throws -> String? {
        // Whoever holds a token could use it, so it goes through no open network.
        if !settings.service.isEncrypted, !settings.service.isLoopback {
            return "not for a service that is reached by plain http"
        }
        guard let choice = identity.value(Variables.tokenCredentials) else { return nil }
        let name = choice.text.lowercased().filter { $0 != " " }
        if name == "prod" || name == link.rawValue { return nil }
        guard Link(rawValue: name) != nil else {
            throw CredentialSourceFailure(
                choice.variable, "is \(shown(choice.text)); it must be \(Variables.tokenCredentials.unit)")
        }
        return "not chosen by \(choice.variable)"
    }

    private func application() async throws -> CredentialOutcome<AzureCredentials> {
        if let reason = try exclusion(.application) { return .absent(reason) }
        let secret = identity.value(Variables.clientSecret)
        guard let proof = secret ?? identity.value(Variables.certificatePath) else { return .absent("not set") }
        let (tenant, client) = try tenantAndClient(for: proof)
        let entra = try entra()
        if let secret {
            return .found(try await entra.token(.init(tenant, client, secret.variable), secret: Secret(secret.text)))
        }
        return .found(
            try await entra.token(
                .init(tenant, client, proof.variable), certificate: try certificate(proof), now: now()))
    }

    private func certificate(_ path: RoleEnvironment.Value) throws -> AzureClientCertificate {
        let chain = try identity.value(Variables.sendsCertificateChain).map { value in
            guard let sends = SettingsReader.boolean(value.text) else {
                throw CredentialSourceFailure(value.variable, "is neither true nor false: \(shown(value.text))")
            }
            return sends
        }
        return try AzureClientCertificate(
            path: identity.credentials.expandingHome(path.text), named: path.variable,
            password: identity.value(Variables.certificatePassword).map { Secret($0.text) }, sendsChain: chain ?? false)
    }

    private func workloadIdentity() async throws -> CredentialOutcome<AzureCredentials> {
        if let reason = try exclusion(.workload) { return .absent(reason) }
        guard let file = identity.value(Variables.federatedTokenFile) else { return .absent("not set") }
        let (tenant, client) = try tenantAndClient(for: file)
        let token = try CredentialFile.token(file.text, named: file.variable)
        return .found(try await entra().token(.init(tenant, client, file.variable), assertion: token))
    }

    private func tenantAndClient(for proof: RoleEnvironment.Value) throws -> (tenant: String, client: String) {
        func value(_ declaration: EnvironmentVariable) throws -> String {
            guard let value = identity.value(declaration) else {
                throw CredentialSourceFailure(proof.variable, "is set, but \(identity.name(declaration)) is not")
            }
            guard value.text.utf8.allSatisfy({ PercentEncoding.isUnreserved($0) }) else {
                throw CredentialSourceFailure(value.variable, "has a character that no id has: \(shown(value.text))")
            }
            return value.text
        }
        return (try value(Variables.tenantID), try value(Variables.clientID))
    }

    private func entra() throws -> EntraClient {
        // An inherited identity is made where its own variables say, not where the role that inherits it does.
        let scope = identity.scope == .ownOnly ? RoleEnvironment.Scope.any : identity.scope
        var authority = settings.cloud.authority
        if let cloud = identity.environment.value(AzureVariables.cloud, in: scope) {
            authority = AzureCloud(name: cloud.text)?.authority ?? authority
        } else if scope == .unprefixedOnly {
            authority = AzureCloud.global.authority
        }
        if let value = identity.environment.value(Variables.authorityHost, in: scope) {
            switch HTTPAddress.parse(value.text) {
            case .failure(let fault): throw CredentialSourceFailure(value.variable, fault.problem)
            case .success(let address):
                guard address.scheme == "https" || HTTPAddress.isLoopback(authority: address.authority) else {
                    throw CredentialSourceFailure(
                        value.variable, "secrets would go unencrypted to \(address.host); use https")
                }
                authority = address
            }
        }
        return EntraClient(http: http, authority: authority, now: self.now)
    }
}
