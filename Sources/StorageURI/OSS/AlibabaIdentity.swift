/// Which variables, files and services one role's credentials for `oss` may come from.
struct AlibabaIdentity: Sendable {
    let credentials: CredentialScope

    private typealias Variables = AlibabaCredentialVariables

    private static let rules = CredentialScope.Rules(
        naming: [
            Variables.accessKeyID, Variables.accessKeySecret, Variables.sessionToken, Variables.commonKeyID,
            Variables.commonKeySecret, Variables.commonToken, Variables.oidcTokenFile, Variables.profile,
            Variables.credentialsFile, Variables.instanceRole, Variables.credentialsURI,
        ],
        endpoints: [OSSVariables.endpoint], onTop: Variables.roleARN,
        alternatives: [[Variables.accessKeyID, Variables.accessKeySecret], [Variables.profile]])

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

    /// Whether a variable that turns something on or off says true.
    func isOn(_ declaration: EnvironmentVariable) -> Bool {
        environment.value(declaration).flatMap { SettingsReader.boolean($0.text) } ?? false
    }

    /// The file of the vendor's command line tool; nil where it may not be read.
    var commandLineFile: String? {
        guard isAmbientAllowed || value(Variables.profile) != nil, !isOn(Variables.cliProfileDisabled) else {
            return nil
        }
        return usualFile(".aliyun/config.json")
    }

    /// The file of the vendor's libraries; nil where none may be read.
    var libraryFile: String? {
        // A role that names a profile finds it where profiles lie; one that names only a file gets nothing else.
        let readsUsualFile = isAmbientAllowed || value(Variables.profile) != nil
        guard refusal == nil else { return nil }
        if let named = environment.value(Variables.credentialsFile, in: readsUsualFile ? .any : .ownOnly) {
            return credentials.expandingHome(named.text)
        }
        return readsUsualFile ? usualFile(".alibabacloud/credentials.ini") : nil
    }

    private func usualFile(_ name: String) -> String? {
        guard refusal == nil else { return nil }
        return environment.homeDirectory.map { "\($0)/\(name)" }
    }
}
