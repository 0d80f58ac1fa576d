/// What the environment says to one storage, for people. Nothing is sent to find it out.
public struct StorageInspection: Sendable {
    /// Something settled, and which variable settled it: `service: https://s3.example.org (AWS_ENDPOINT_URL)`.
    public struct Fact: Sendable, Hashable {
        public let name: String
        public let detail: String
    }

    /// A variable of the environment that counts for the storage.
    public struct Variable: Sendable, Hashable {
        /// The very name, with its prefix if it has one.
        public let name: String
        /// The value; nil when it is a secret.
        public let text: String?
    }

    public private(set) var facts: [Fact] = []
    /// Variables that are set and do nothing, with the reason.
    public private(set) var warnings: [SettingFault] = []
    /// In the order of the reference. Credentials are those of the role's own set or those it inherits, never a mixture.
    public private(set) var variables: [Variable] = []
    /// Files with secrets that the storage's credentials may be read from. They need not exist.
    public private(set) var secretFiles: [String] = []

    /// An inspection of a storage that reads no variable.
    public init() {}

    /// - Parameters:
    ///   - credentials: The declarations of the set, which come from `scope`.
    ///   - settings: The others.
    init(
        _ environment: RoleEnvironment, scope: CredentialScope, credentials: [EnvironmentVariable],
        settings: [EnvironmentVariable]
    ) {
        if let role = environment.role, let choice = environment.variables[role.credentialsVariable], !choice.isEmpty {
            variables.append(Variable(name: role.credentialsVariable, text: choice))
        }
        for declaration in credentials { add(scope.value(declaration), declaration) }
        for declaration in settings { add(environment.value(declaration), declaration) }
    }

    private mutating func add(_ value: RoleEnvironment.Value?, _ declaration: EnvironmentVariable) {
        guard let value else { return }
        if case .withoutEffect(let reason) = declaration.support {
            warnings.append(SettingFault(variable: value.variable, problem: "has no effect: \(reason)"))
        } else {
            variables.append(Variable(name: value.variable, text: declaration.isSecret ? nil : value.text))
        }
    }

    /// - Parameter origin: The variable, or the place, that the fact comes from; nil: a default.
    mutating func note(_ name: String, _ detail: String, from origin: String? = nil) {
        facts.append(Fact(name: name, detail: detail + (origin.map { " (\($0))" } ?? "")))
    }

    mutating func note(secretFile path: String?) {
        if let path { secretFiles.append(path) }
    }
}
