/// Which variables, files and services one role's credentials for `s3` may come from.
struct AWSIdentity: Sendable {
    let credentials: CredentialScope

    private typealias Variables = AWSCredentialVariables

    private static let rules = CredentialScope.Rules(
        naming: [
            Variables.accessKeyID, Variables.secretAccessKey, Variables.sessionToken, Variables.webIdentityTokenFile,
            Variables.profile, Variables.credentialsFile, Variables.configFile, Variables.containerRelativeURI,
            Variables.containerFullURI, Variables.metadataEndpoint,
        ],
        endpoints: [S3Variables.endpoint, S3Variables.endpointSource, Variables.stsEndpoint], onTop: Variables.roleARN,
        alternatives: [[Variables.accessKeyID, Variables.secretAccessKey], [Variables.profile]])

    init(_ environment: RoleEnvironment) throws(SettingsError) {
        credentials = try CredentialScope(environment, Self.rules)
    }

    var environment: RoleEnvironment { credentials.environment }
    var scope: RoleEnvironment.Scope { credentials.scope }
    var isAmbientAllowed: Bool { credentials.isAmbientAllowed }
    var refusal: String? { credentials.refusal }
    /// The role's own ARN on top of inherited credentials.
    var ownRoleARN: RoleEnvironment.Value? { credentials.onTop }

    /// What to set where no source has any.
    var advice: String { "set \(CredentialScope.words(Self.rules.alternatives, name))" }

    func value(_ declaration: EnvironmentVariable) -> RoleEnvironment.Value? { credentials.value(declaration) }
    func name(_ declaration: EnvironmentVariable) -> String { credentials.name(declaration) }

    /// The profile to read, and the two files it may lie in; nil when none may be read.
    var profilePlace: (name: String, variable: String?, credentialsFile: String?, configFile: String?)? {
        guard refusal == nil else { return nil }
        let profile = value(Variables.profile)
        let own = [Variables.credentialsFile, Variables.configFile].map { environment.value($0, in: .ownOnly) }
        guard isAmbientAllowed || profile != nil || own.contains(where: { $0 != nil }) else { return nil }
        // A role that names a profile finds it where profiles lie; one that names only a file gets nothing else.
        let readsUsualFiles = isAmbientAllowed || profile != nil
        func path(_ declaration: EnvironmentVariable, _ usual: String) -> String? {
            let value = environment.value(declaration, in: readsUsualFiles ? .any : .ownOnly)
            if let value { return credentials.expandingHome(value.text) }
            return readsUsualFiles ? environment.homeDirectory.map { "\($0)/\(usual)" } : nil
        }
        return (
            profile?.text ?? "default", profile?.variable, path(Variables.credentialsFile, ".aws/credentials"),
            path(Variables.configFile, ".aws/config")
        )
    }
}
