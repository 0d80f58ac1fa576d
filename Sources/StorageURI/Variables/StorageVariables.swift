/// Variables that belong together.
public struct VariableGroup: Sendable {
    public let title: String
    public let variables: [EnvironmentVariable]

    public init(title: String, variables: [EnvironmentVariable]) {
        self.title = title
        self.variables = variables
    }
}

/// Every variable that storages know, and the reference that is made of them.
public struct StorageVariables: Sendable {
    /// In the order of the reference.
    public let groups: [VariableGroup]

    /// - Parameter kinds: The groups of each kind of storage.
    public init(kinds: [[VariableGroup]]) {
        groups =
            [
                VariableGroup(title: "Locations", variables: StorageScheme.allCases.map { .location($0) }),
                VariableGroup(title: "Roles", variables: StorageRole.allCases.map(Self.inheritance)),
                CommonVariables.group,
            ] + kinds.joined()
    }

    /// All names, those of aliases too.
    public var names: [String] { groups.flatMap { $0.variables.flatMap(\.names) } }

    private static func inheritance(_ role: StorageRole) -> EnvironmentVariable {
        EnvironmentVariable(
            role.credentialsVariable, .setting,
            "Whether \(role.words) may use the unprefixed credentials: `inherit` although it has an endpoint or role ARN "
                + "of its own, `own` never.", unit: "`inherit` or `own`",
            default: "the rules under “Two storages, two identities”")
    }

    /// The tables of the reference, in Markdown.
    public var reference: String {
        groups.map { group in
            let rows = group.variables.map(Self.row).joined()
            return "### \(group.title)\n\n| variable | meaning | value | default |\n| --- | --- | --- | --- |\n\(rows)"
        }.joined(separator: "\n")
    }

    private static func row(_ variable: EnvironmentVariable) -> String {
        let names = variable.names.map { "`\($0)`" }.joined(separator: ", ")
        var meaning = variable.meaning
        if variable.isSecret { meaning += " *Secret.*" }
        if case .withoutEffect(let reason) = variable.support { meaning += " (\(reason))" }
        return "| \(names) | \(meaning) | \(variable.unit) | \(variable.defaultText) |\n"
    }
}

extension EnvironmentVariable {
    /// The variable whose name stands for a location.
    static func location(_ scheme: StorageScheme) -> EnvironmentVariable {
        let form = scheme == .file ? "`/path` or `file:///path`" : "`\(scheme.form)`"
        return EnvironmentVariable(
            scheme.locationVariable, .location, "The location that the name `\(scheme.locationVariable)` stands for.",
            unit: form)
    }
}

extension StorageRole {
    /// The role, as people know it.
    public var words: String {
        switch self {
        case .snapshot: "`snapshot_path`"
        case .storage: "`storage_dest`"
        case .wal: "the offload of WAL"
        }
    }
}
