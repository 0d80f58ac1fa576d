/// Which variables and services one role's credentials may come from. Decided once, as a whole, before any is read:
/// that is what keeps two identities apart.
struct AWSIdentity: Sendable {
    let environment: RoleEnvironment
    /// Where the variables of the set are looked up.
    let scope: RoleEnvironment.Scope
    /// Whether sources that no variable names may be asked: the default profile, the instance's metadata.
    let isAmbientAllowed: Bool
    /// Why this role has no credentials at all; nil when it may have some.
    let refusal: String?
    /// The role's own ARN on top of inherited credentials.
    let ownRoleARN: RoleEnvironment.Value?

    private typealias Variables = AWSCredentialVariables

    /// What names an identity. Any of these with the role's prefix makes the role's set its own.
    private static let naming = [
        Variables.accessKeyID, Variables.secretAccessKey, Variables.sessionToken, Variables.webIdentityTokenFile,
        Variables.profile, Variables.credentialsFile, Variables.configFile, Variables.containerRelativeURI,
        Variables.containerFullURI, Variables.metadataEndpoint,
    ]

    init(_ environment: RoleEnvironment) throws(SettingsError) {
        self.environment = environment
        guard let role = environment.role else {
            (scope, isAmbientAllowed, refusal, ownRoleARN) = (.any, true, nil, nil)
            return
        }
        let choice = environment.variables[role.credentialsVariable].flatMap { $0.isEmpty ? nil : $0 }
        guard choice == nil || choice == "inherit" || choice == "own" else {
            throw SettingsError(faults: [
                SettingFault(
                    variable: role.credentialsVariable,
                    problem: "is \(shown(choice ?? "")); it must be inherit, own, or not set")
            ])
        }
        if Self.naming.contains(where: { environment.value($0, in: .ownOnly) != nil }) {
            (scope, isAmbientAllowed, refusal, ownRoleARN) = (.ownOnly, false, nil, nil)
            return
        }
        let arn = environment.value(Variables.roleARN, in: .ownOnly)
        let endpoint =
            environment.value(S3Variables.endpoint, in: .ownOnly)
            ?? environment.value(Variables.stsEndpoint, in: .ownOnly)
        var reason: String?
        if choice == "own" {
            reason = "\(role.credentialsVariable) is own"
        } else if choice == nil, let endpoint {
            reason = "\(endpoint.variable) names a service of its own, to which no other credentials are sent"
        } else if choice == nil, let arn {
            reason = "\(arn.variable) is to be assumed, but not with whose keys"
        }
        scope = .unprefixedOnly
        isAmbientAllowed = reason == nil
        ownRoleARN = reason == nil ? arn : nil
        let inherit = choice == "own" ? "" : ", or \(role.credentialsVariable)=inherit to use the unprefixed ones"
        refusal = reason.map { reason in
            "\(reason): set \(role.rawValue)AWS_ACCESS_KEY_ID and \(role.rawValue)AWS_SECRET_ACCESS_KEY, or "
                + "\(role.rawValue)AWS_PROFILE\(inherit)"
        }
    }

    /// The value of a variable of the set.
    func value(_ declaration: EnvironmentVariable) -> RoleEnvironment.Value? {
        refusal == nil ? environment.value(declaration, in: scope) : nil
    }

    /// The name to advise for a variable of this set.
    func name(_ declaration: EnvironmentVariable) -> String {
        scope == .ownOnly ? environment.advisedName(declaration.name) : declaration.name
    }

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
            if let value { return expandingHome(value.text) }
            return readsUsualFiles ? environment.homeDirectory.map { "\($0)/\(usual)" } : nil
        }
        return (
            profile?.text ?? "default", profile?.variable, path(Variables.credentialsFile, ".aws/credentials"),
            path(Variables.configFile, ".aws/config")
        )
    }

    private func expandingHome(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = environment.homeDirectory else { return path }
        return home + path.dropFirst()
    }
}
