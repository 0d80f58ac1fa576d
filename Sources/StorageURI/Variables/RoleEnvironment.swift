/// The environment as one role sees it: a variable with the role's prefix goes before the one without.
///
/// Nothing here reads the environment of the process: it is handed in, so that two identities live in one process.
public struct RoleEnvironment: Sendable {
    /// A value, and the name of the very variable that holds it, for messages.
    public struct Value: Sendable, Equatable {
        public let text: String
        public let variable: String
    }

    /// Where a lookup may find its value.
    public enum Scope: Sendable, Equatable {
        /// The role's own variables, then the unprefixed ones.
        case any
        /// Only variables with the role's prefix.
        case ownOnly
        /// Only unprefixed variables.
        case unprefixedOnly
    }

    public let role: StorageRole?
    let variables: [String: String]

    /// - Parameter role: nil for a storage that no role is given for; only unprefixed variables count then.
    public init(_ variables: [String: String], role: StorageRole?) {
        self.variables = variables
        self.role = role
    }

    /// The value of `name`: `<ROLE>_name`, `<ROLE>_WALG_name`, `name`, `WALG_name`, `WALE_name`, the first that is
    /// set. A variable that is set to nothing counts as not set.
    public func value(_ name: String, in scope: Scope = .any) -> Value? {
        value(anyOf: [name], in: scope)
    }

    /// The value of a declared variable, under its name or one of its aliases. The role's own variables are all asked
    /// before the first unprefixed one.
    public func value(_ declaration: EnvironmentVariable, in scope: Scope = .any) -> Value? {
        value(anyOf: declaration.names, in: scope)
    }

    func value(anyOf names: [String], in scope: Scope) -> Value? {
        var candidates: [String] = []
        if let role, scope != .unprefixedOnly {
            candidates += names.flatMap { ["\(role.rawValue)\($0)", "\(role.rawValue)WALG_\($0)"] }
        }
        if scope != .ownOnly {
            candidates += names.flatMap { [$0, "WALG_\($0)", "WALE_\($0)"] }
        }
        for name in candidates {
            if let text = variables[name], !text.isEmpty { return Value(text: text, variable: name) }
        }
        return nil
    }

    /// The user's home directory, where the vendors' files lie.
    var homeDirectory: String? { variables["HOME"].flatMap { $0.isEmpty ? nil : $0 } }

    /// A path as it was given, with the home directory for `~`.
    func expandingHome(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = homeDirectory else { return path }
        return home + path.dropFirst()
    }

    /// The name to advise for a variable in a message: with the role's prefix, if there is a role.
    public func advisedName(_ name: String) -> String { (role?.rawValue ?? "") + name }
}
