/// Which variables, or which entry of `clouds.yaml`, one role's credentials for `swift` come from.
struct SwiftIdentity: Sendable {
    let credentials: CredentialScope
    /// The entry that `OS_CLOUD` names.
    let cloud: OpenStackCloud?

    private typealias Variables = SwiftCredentialVariables

    private static let rules = CredentialScope.Rules(
        naming: Variables.all,
        endpoints: [SwiftVariables.authURL, SwiftVariables.legacyAuthURL, SwiftVariables.storageURL],
        alternatives: [
            [Variables.userName, Variables.password],
            [Variables.applicationCredentialID, Variables.applicationCredentialSecret], [Variables.cloud],
        ])

    init(_ environment: RoleEnvironment) throws(SettingsError) {
        credentials = try CredentialScope(environment, Self.rules)
        guard let name = credentials.value(Variables.cloud) else {
            cloud = nil
            return
        }
        // A role that names a cloud finds it where clouds are kept.
        cloud = try OpenStackCloud(
            name.text, named: name.variable, file: environment.value(Variables.cloudsFile),
            secureFile: environment.value(Variables.secureFile), home: environment.homeDirectory)
    }

    var environment: RoleEnvironment { credentials.environment }
    var refusal: String? { credentials.refusal }

    /// What to set where no source has any.
    var advice: String {
        if let cloud { return "complete cloud \(cloud.name) of \(cloud.path)" }
        return "set \(CredentialScope.words(Self.rules.alternatives, name))"
    }

    /// A value of the set: the cloud's, where there is one. Only what is secret may stand in variables beside it.
    func value(_ declaration: EnvironmentVariable) -> RoleEnvironment.Value? {
        guard let cloud, refusal == nil else { return credentials.value(declaration) }
        return cloud.value(declaration) ?? (declaration.isSecret ? credentials.value(declaration) : nil)
    }

    /// The name of a variable of the set, or of what stands for it in the cloud, to advise.
    func name(_ declaration: EnvironmentVariable) -> String {
        cloud.map { $0.place(OpenStackCloud.key(declaration.name)) } ?? credentials.name(declaration)
    }

    /// A setting: the variable, else what the cloud says. A role with an identity of its own does not take the account's
    /// address, or what overrules its cloud, from the unprefixed variables: they speak of another identity.
    func setting(_ declaration: EnvironmentVariable) -> RoleEnvironment.Value? {
        let isOwn = credentials.scope == .ownOnly && (cloud != nil || declaration == SwiftVariables.storageURL)
        return environment.value(declaration, in: isOwn ? .ownOnly : .any) ?? cloud?.value(declaration)
    }

    /// The identity service's address; a cloud's is part of it.
    var authURL: RoleEnvironment.Value? {
        cloud?.value(SwiftVariables.authURL) ?? setting(SwiftVariables.authURL)
    }
}
