/// Who to log in as, and by what.
public struct SSHCredentials: Sendable {
    public enum Proof: Sendable {
        case key(path: String, passphrase: Secret?)
        case password(Secret)
        /// All keys of the agent that listens there.
        case agent(socket: String)
    }
    public struct Method: Sendable {
        public let proof: Proof
        /// The variable, or the place, that it comes from.
        public let source: String

        public init(proof: Proof, source: String) {
            self.proof = proof
            self.source = source
        }

        /// `key /home/me/.ssh/id_ed25519`, for messages.
        public var words: String {
            switch proof {
            case .key(let path, _): "key \(path)"
            case .password: "password"
            case .agent(let socket): "agent at \(socket)"
            }
        }
    }

    public let user: String
    /// What to try, in this order.
    public let methods: [Method]

    public init(user: String, methods: [Method]) {
        self.user = user
        self.methods = methods
    }

    /// `SSH_PRIVATE_KEY_PATH (user backup, key /etc/zenith/key)`.
    public var summary: String {
        let sources = methods.map { method in
            let detail = if case .password = method.proof { "user \(user)" } else { "user \(user), \(method.words)" }
            return "\(method.source) (\(detail))"
        }
        return sources.joined(separator: ", ")
    }
}

/// Which variables and files one role's credentials for `ssh` may come from.
struct SSHIdentity {
    let scope: CredentialScope

    private typealias Variables = SSHVariables

    private static let rules = CredentialScope.Rules(
        naming: [Variables.username, Variables.privateKeyPath, Variables.password, Variables.agentSocket],
        endpoints: [Variables.port], onTop: nil,
        alternatives: [[Variables.privateKeyPath], [Variables.password], [Variables.agentSocket]])

    init(_ environment: RoleEnvironment) throws(SettingsError) {
        scope = try CredentialScope(environment, Self.rules)
    }

    private static let usualNames = ["id_ed25519", "id_ecdsa", "id_rsa"]

    /// Files that OpenSSH looks for a key in, where none is named.
    private var usualFiles: [String] {
        guard scope.isAmbientAllowed, let home = scope.environment.homeDirectory else { return [] }
        return Self.usualNames.map { "\(home)/.ssh/\($0)" }
    }

    /// Files that a key may be read from. They need not exist.
    var keyFiles: [String] {
        if scope.refusal != nil { return [] }
        if let path = scope.value(Variables.privateKeyPath) { return [scope.expandingHome(path.text)] }
        return scope.value(Variables.password) == nil ? usualFiles : []
    }

    /// - Parameters:
    ///   - user: The one that the location names.
    ///   - localUser: The one that this program runs as.
    func find(user: String?, localUser: String?) throws -> SSHCredentials {
        if let refusal = scope.refusal { throw CredentialError(refusal: refusal) }
        let advice = "set \(CredentialScope.words(Self.rules.alternatives, scope.name))"
        guard let user = user ?? scope.value(Variables.username)?.text ?? localUser else {
            throw CredentialError(
                CredentialSourceFailure(scope.name(Variables.username), "is not set, and this user has no name"))
        }
        var methods = try named()
        var attempts = [Variables.privateKeyPath, Variables.password].map {
            CredentialError.Attempt(source: scope.name($0), outcome: "not set")
        }
        if methods.isEmpty {
            if let socket = scope.value(Variables.agentSocket) {
                methods.append(.init(proof: .agent(socket: socket.text), source: socket.variable))
            } else {
                attempts.append(.init(source: scope.name(Variables.agentSocket), outcome: "not set"))
            }
            let passphrase = scope.value(Variables.passphrase).map { Secret($0.text) }
            for path in usualFiles {
                switch Result(catching: { () throws(TextFile.Failure) in try TextFile.read(path) }) {
                case .success:
                    methods.append(.init(proof: .key(path: path, passphrase: passphrase), source: "the usual files"))
                case .failure(.missing): attempts.append(.init(source: path, outcome: "no such file"))
                case .failure(.unreadable(let why)): attempts.append(.init(source: path, outcome: why))
                }
            }
        }
        guard !methods.isEmpty else { throw CredentialError(noneIn: attempts, advice: advice) }
        return SSHCredentials(user: user, methods: methods)
    }

    /// What variables name. The agent and the usual files are then not asked: they would be another identity.
    private func named() throws -> [SSHCredentials.Method] {
        var methods: [SSHCredentials.Method] = []
        let passphrase = scope.value(Variables.passphrase)
        if let key = scope.value(Variables.privateKeyPath) {
            let path = scope.expandingHome(key.text)
            do throws(CredentialSourceFailure) {
                guard try CredentialFile.text(path, named: key.variable).contains("PRIVATE KEY") else {
                    throw CredentialSourceFailure(key.variable, "\(shown(path)) holds no private key")
                }
            } catch { throw CredentialError(error) }
            methods.append(
                .init(proof: .key(path: path, passphrase: passphrase.map { Secret($0.text) }), source: key.variable))
        } else if let passphrase, scope.scope == .ownOnly {
            throw CredentialError(
                CredentialSourceFailure(
                    passphrase.variable, "is set, but \(scope.name(Variables.privateKeyPath)) is not"))
        }
        if let password = scope.value(Variables.password) {
            methods.append(.init(proof: .password(Secret(password.text)), source: password.variable))
        }
        return methods
    }
}

/// The credentials of one storage role.
public enum SSHCredentialChain {
    /// The key and password that variables name, else the agent's keys and those in the usual files.
    ///
    /// - Parameters:
    ///   - user: The one that the location names.
    ///   - localUser: The one that this program runs as.
    /// - Throws: `CredentialError` where there are none.
    public static func find(
        user: String?, environment: RoleEnvironment, localUser: String?
    ) throws -> SSHCredentials {
        try SSHIdentity(environment).find(user: user, localUser: localUser)
    }
}
