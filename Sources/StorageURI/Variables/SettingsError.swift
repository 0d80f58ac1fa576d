/// One thing that is wrong with the environment.
public struct SettingFault: Sendable, Hashable, CustomStringConvertible {
    /// The variable that holds the faulty value, or the one that is missing.
    public let variable: String
    public let problem: String

    public init(variable: String, problem: String) {
        self.variable = variable
        self.problem = problem
    }

    public var description: String { "\(variable): \(problem)" }
}

/// All that is wrong with the settings of one storage, at once. No value of a secret is in it.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    public let faults: [SettingFault]

    public init(faults: [SettingFault]) { self.faults = faults }

    public var description: String { faults.map(\.description).joined(separator: "; ") }
}
