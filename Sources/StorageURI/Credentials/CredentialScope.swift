/// Which variables and services one role's credentials may come from. Decided once, as a whole, before any is read:
/// that is what keeps two identities apart.
struct CredentialScope: Sendable {
    /// What one kind of storage takes for an identity.
    struct Rules: Sendable {
        /// What names an identity. Any of these with the role's prefix makes the role's set its own.
        var naming: [EnvironmentVariable]
        /// Where credentials are sent to. One of the role's own gets no credentials but the role's own.
        var endpoints: [EnvironmentVariable]
        /// What the role may name on top of inherited credentials, such as a role to assume, once it is allowed.
        var onTop: EnvironmentVariable?
        /// What to set to give the role an identity: the variables that go together, by alternative.
        var alternatives: [[EnvironmentVariable]]
    }

    let environment: RoleEnvironment
    /// Where the variables of the set are looked up.
    let scope: RoleEnvironment.Scope
    /// Whether sources that no variable names may be asked: a default profile, the instance's metadata.
    let isAmbientAllowed: Bool
    /// Why this role has no credentials at all; nil when it may have some.
    let refusal: String?
    /// The role's own value of `Rules.onTop`, over inherited credentials.
    let onTop: RoleEnvironment.Value?

    init(_ environment: RoleEnvironment, _ rules: Rules) throws(SettingsError) {
        self.environment = environment
        guard let role = environment.role else {
            (scope, isAmbientAllowed, refusal, onTop) = (.any, true, nil, nil)
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
        if rules.naming.contains(where: { environment.value($0, in: .ownOnly) != nil }) {
            (scope, isAmbientAllowed, refusal, onTop) = (.ownOnly, false, nil, nil)
            return
        }
        let added = rules.onTop.flatMap { environment.value($0, in: .ownOnly) }
        let endpoint = rules.endpoints.lazy.compactMap { environment.value($0, in: .ownOnly) }.first
        var reason: String?
        if choice == "own" {
            reason = "\(role.credentialsVariable) is own"
        } else if choice == nil, let endpoint {
            reason = "\(endpoint.variable) names a service of its own, to which no other credentials are sent"
        } else if choice == nil, let added {
            reason = "\(added.variable) is to be assumed, but not with whose keys"
        }
        scope = .unprefixedOnly
        isAmbientAllowed = reason == nil
        onTop = reason == nil ? added : nil
        let inherit = choice == "own" ? "" : ", or \(role.credentialsVariable)=inherit to use the unprefixed ones"
        refusal = reason.map { "\($0): set \(Self.words(rules.alternatives) { role.rawValue + $0.name })\(inherit)" }
    }

    /// `A and B, or C`.
    static func words(_ alternatives: [[EnvironmentVariable]], _ name: (EnvironmentVariable) -> String) -> String {
        alternatives.map { $0.map(name).joined(separator: " and ") }.joined(separator: ", or ")
    }

    /// The value of a variable of the set.
    func value(_ declaration: EnvironmentVariable) -> RoleEnvironment.Value? {
        refusal == nil ? environment.value(declaration, in: scope) : nil
    }

    /// The name to advise for a variable of this set.
    func name(_ declaration: EnvironmentVariable) -> String {
        scope == .ownOnly ? environment.advisedName(declaration.name) : declaration.name
    }

    /// A path as it was given, with the home directory for `~`.
    func expandingHome(_ path: String) -> String { environment.expandingHome(path) }
}
