/// Which variables, files and services one role's credentials for `gs` may come from.
struct GoogleIdentity: Sendable {
    let credentials: CredentialScope

    private typealias Variables = GoogleCloudVariables

    private static let rules = CredentialScope.Rules(
        naming: [
            Variables.applicationCredentials, Variables.configDirectory, Variables.metadataHost,
            Variables.metadataAddress,
        ],
        endpoints: [Variables.endpoint, Variables.emulatorHost], onTop: nil,
        alternatives: [[Variables.applicationCredentials]])

    init(_ environment: RoleEnvironment) throws(SettingsError) {
        credentials = try CredentialScope(environment, Self.rules)
    }

    var environment: RoleEnvironment { credentials.environment }

    /// What to set where no source has any.
    var advice: String {
        "set \(CredentialScope.words(Self.rules.alternatives, credentials.name)), or run gcloud auth "
            + "application-default login"
    }

    /// The file that the role's variable names.
    var applicationCredentials: (path: String, variable: String)? {
        credentials.value(Variables.applicationCredentials).map { (credentials.expandingHome($0.text), $0.variable) }
    }

    /// Where gcloud keeps the credentials that a user has made the default; nil where the role may not have them.
    var wellKnownFile: String? {
        guard credentials.refusal == nil else { return nil }
        let name = "application_default_credentials.json"
        if let directory = credentials.value(Variables.configDirectory) {
            return "\(credentials.expandingHome(directory.text))/\(name)"
        }
        guard credentials.isAmbientAllowed else { return nil }
        return environment.homeDirectory.map { "\($0)/.config/gcloud/\(name)" }
    }

    /// Where the instance's metadata is asked for; nil where the role may not have them.
    var metadata: (authority: String, variable: String?)? {
        let named = credentials.value(Variables.metadataHost) ?? credentials.value(Variables.metadataAddress)
        if let named { return (named.text, named.variable) }
        return credentials.isAmbientAllowed ? ("169.254.169.254", nil) : nil
    }
}
