/// Which variables and services one role's credentials for `azure` may come from.
struct AzureIdentity: Sendable {
    let credentials: CredentialScope

    private typealias Variables = AzureCredentialVariables

    private static let rules = CredentialScope.Rules(
        naming: [
            Variables.connectionString, Variables.accessKey, Variables.sasToken, Variables.tenantID,
            Variables.clientID, Variables.clientSecret, Variables.certificatePath, Variables.federatedTokenFile,
            Variables.identityEndpoint, Variables.identityHeader, Variables.metadataHost,
        ],
        endpoints: [
            AzureVariables.account, AzureVariables.serviceEndpoint, AzureVariables.endpointSuffix,
            AzureVariables.cloud, Variables.authorityHost,
        ],
        alternatives: [
            [AzureVariables.account, Variables.accessKey], [Variables.sasToken], [Variables.connectionString],
            [Variables.tenantID, Variables.clientID, Variables.clientSecret],
        ])

    init(_ environment: RoleEnvironment) throws(SettingsError) {
        credentials = try CredentialScope(environment, Self.rules)
    }

    var environment: RoleEnvironment { credentials.environment }
    var scope: RoleEnvironment.Scope { credentials.scope }
    var refusal: String? { credentials.refusal }

    /// What to set where no source has any.
    var advice: String { "set \(CredentialScope.words(Self.rules.alternatives, name))" }

    func value(_ declaration: EnvironmentVariable) -> RoleEnvironment.Value? { credentials.value(declaration) }
    func name(_ declaration: EnvironmentVariable) -> String { credentials.name(declaration) }

    /// Whether a managed identity may be asked for: one that the role names, or whichever there is.
    var mayBeManaged: Bool {
        let naming = [Variables.clientID, Variables.identityEndpoint, Variables.metadataHost]
        return refusal == nil && (credentials.isAmbientAllowed || naming.contains { value($0) != nil })
    }

    /// A variable that the machine sets for all of its identities: a role that names one of them finds it there.
    func machineValue(_ declaration: EnvironmentVariable) -> RoleEnvironment.Value? {
        mayBeManaged ? value(declaration) ?? environment.value(declaration, in: scope == .ownOnly ? .any : scope) : nil
    }
}
