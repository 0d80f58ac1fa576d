/// Every variable that storages know, and the reference that is made of them.
public enum StorageVariables {
    /// The variables that belong together.
    public struct Group: Sendable {
        public let title: String
        public let variables: [EnvironmentVariable]
    }

    /// In the order of the reference.
    public static let groups = [
        Group(title: "Locations", variables: StorageScheme.allCases.map { .location($0) }),
        Group(title: "Roles", variables: StorageRole.allCases.map(inheritance)),
        Group(title: "s3: credentials", variables: AWSCredentialVariables.all),
        Group(title: "s3: settings", variables: S3Variables.settings),
        Group(title: "s3: read by WAL-G, without effect here", variables: S3Variables.withoutEffect),
        later("gs", LaterVariables.googleCloud), later("azure", LaterVariables.azure),
        later("swift", LaterVariables.swift), later("oss", LaterVariables.alibaba), later("ssh", LaterVariables.ssh),
    ]

    private static func inheritance(_ role: StorageRole) -> EnvironmentVariable {
        EnvironmentVariable(
            role.credentialsVariable, .setting,
            "Whether \(role.words) may use the unprefixed credentials: `inherit` although it has an endpoint or role ARN "
                + "of its own, `own` never.", unit: "`inherit` or `own`",
            default: "the rules under “Two storages, two identities”")
    }

    private static func later(_ scheme: String, _ variables: [EnvironmentVariable]) -> Group {
        Group(title: "\(scheme): not yet read", variables: variables.filter { $0.kind != .location })
    }

    /// The tables of the reference, in Markdown.
    public static var reference: String {
        groups.map { group in
            let rows = group.variables.map(row).joined()
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
