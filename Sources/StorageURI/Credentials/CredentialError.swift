/// Why there are no credentials: what was asked, and why each gave nothing. No secret is in it.
public struct CredentialError: Error, Sendable, Equatable, CustomStringConvertible {
    public struct Attempt: Sendable, Equatable {
        /// `AWS_ACCESS_KEY_ID`, `profile backup`, `instance metadata`.
        public let source: String
        public let outcome: String
    }

    /// In the order in which the sources were asked. The last one is the one that failed, if one did.
    public let attempts: [Attempt]
    public let description: String

    /// No source has any.
    init(noneIn attempts: [Attempt], advice: String) {
        self.attempts = attempts
        let list = attempts.map { "\($0.source): \($0.outcome)" }.joined(separator: "; ")
        description = "no credentials found (\(list)); \(advice)"
    }

    /// A source that is configured does not work. The next ones are not asked: they would be another identity.
    init(_ failure: CredentialSourceFailure, after attempts: [Attempt] = []) {
        self.attempts = attempts + [Attempt(source: failure.source, outcome: failure.problem)]
        let list = attempts.map { "\($0.source): \($0.outcome)" }.joined(separator: "; ")
        description = "\(failure)" + (attempts.isEmpty ? "" : " (before it: \(list))")
    }

    /// The role may have none.
    init(refusal: String) {
        attempts = []
        description = refusal
    }
}

/// A source of credentials that is configured, and fails.
struct CredentialSourceFailure: Error, CustomStringConvertible {
    let source: String
    let problem: String

    init(_ source: String, _ problem: String) {
        self.source = source
        self.problem = problem
    }

    var description: String { "\(source): \(problem)" }
}

/// What a source answers when it works.
enum CredentialOutcome<Credential> {
    case found(Credential)
    /// It has none, for this reason; the next one is asked.
    case absent(String)
}

/// A place that credentials may come from.
struct CredentialSource<Credential> {
    /// As people know it: the name of the variable that points to it, or `instance metadata`.
    let name: String
    let ask: () async throws -> CredentialOutcome<Credential>

    init(_ name: String, _ ask: @escaping () async throws -> CredentialOutcome<Credential>) {
        self.name = name
        self.ask = ask
    }

    /// Asks one source after the other until one has credentials.
    ///
    /// A source that is not configured is passed over. One that is configured and fails ends the search: going on would
    /// quietly be another identity.
    ///
    /// - Parameter advice: What to do where none has any.
    static func first(of sources: [CredentialSource], advice: String) async throws -> Credential {
        var attempts: [CredentialError.Attempt] = []
        for source in sources {
            do {
                switch try await source.ask() {
                case .found(let credential): return credential
                case .absent(let why): attempts.append(.init(source: source.name, outcome: why))
                }
            } catch let failure as CredentialSourceFailure {
                throw CredentialError(failure, after: attempts)
            } catch let error as SettingsError {
                throw CredentialError(CredentialSourceFailure(source.name, error.description), after: attempts)
            }
        }
        throw CredentialError(noneIn: attempts, advice: advice)
    }
}
