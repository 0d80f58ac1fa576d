import ArgumentParser
import ObjectStorage
import StorageURI

/// What `config check` found: a line a fact, a verdict a storage.
public struct CheckReport: Encodable, Sendable {
    public enum Outcome: String, Encodable, Sendable { case ok, warning, failed }

    struct Fact: Encodable, Sendable {
        let name: String
        let outcome: Outcome
        let detail: String
    }

    /// What the facts are about: the configuration, PostgreSQL's programs, the primary, one of the storages.
    public struct Subject: Encodable, Sendable {
        let name: String
        /// Where a storage is; absent for the others, and where it could not be told.
        var location: String?
        var facts: [Fact] = []
        /// In a few words.
        public var verdict = ""

        public init(name: String) { self.name = name }

        public mutating func note(_ name: String, _ outcome: Outcome = .ok, _ detail: String) {
            facts.append(Fact(name: name, outcome: outcome, detail: detail.onOneLine))
        }

        /// Notes what a failure says, and lets it count for the exit code.
        public mutating func fail(_ name: String, _ failure: CommandFailure, _ report: inout CheckReport) {
            for text in failure.details.isEmpty ? [failure.message] : failure.details { note(name, .failed, text) }
            if let hint = failure.hint { note(name, .warning, hint) }
            report.add(failure.status)
        }

        /// Points out variables whose names look like slips.
        mutating func noteMisspelt(_ environment: [String: String]) {
            for (given, meant) in MisspelledVariables(ObjectStores.variables).find(in: environment) {
                note("variable", .warning, "\(given) is set, and nothing reads it; \(meant) may be meant")
            }
        }

        public var hasFailed: Bool { facts.contains { $0.outcome == .failed } }
    }

    private(set) var subjects: [Subject] = []
    /// The exit code, by the worst that was found.
    private(set) var exitCode: Int32 = 0

    private enum CodingKeys: String, CodingKey { case subjects, exitCode }

    /// What has to be put right first decides: the configuration, then permissions, then what cannot be reached.
    private static let order: [ExitStatus] = [.configuration, .permission, .unavailable, .badData, .failed, .done]

    mutating func add(_ status: ExitStatus) {
        // An option that is wrong is a fault of the configuration here.
        let status = Self.order.contains(status) ? status : status == .usage ? .configuration : .failed
        let present = ExitStatus(rawValue: exitCode) ?? .failed
        let rank = { (status: ExitStatus) in Self.order.firstIndex(of: status) ?? Self.order.count }
        if rank(status) < rank(present) { exitCode = status.rawValue }
    }

    public mutating func add(_ subject: Subject) { subjects.append(subject) }

    /// One line a fact, then one a subject.
    var text: String {
        let width = subjects.map(\.name.count).max() ?? 0
        var lines: [String] = []
        for subject in subjects {
            let name = subject.name + String(repeating: " ", count: width - subject.name.count)
            for fact in subject.facts {
                let outcome = fact.outcome.rawValue
                let padding = String(repeating: " ", count: Outcome.warning.rawValue.count - outcome.count)
                lines.append("\(name)  \(outcome)\(padding)  \(fact.name): \(fact.detail)")
            }
        }
        lines.append("")
        for subject in subjects { lines.append("\(subject.name): \(subject.verdict)") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Prints the report, and ends the command by what was found.
    func print(asJSON isJSON: Bool) throws {
        if isJSON { try printJSON(self) } else { StandardOutput.write(text) }
        if exitCode != 0 { throw ExitCode(exitCode) }
    }
}
