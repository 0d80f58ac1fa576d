/// The variables that `ssh` reads.
public enum SSHVariables {
    private static let later = [
        setting("SSH_PORT", "The port, where the location has none.", unit: "port", default: "22", kind: .endpoint),
        credential("SSH_USERNAME", "Who to log in as, where the location does not say."),
        secret("SSH_PASSWORD", "The password."),
        credential("SSH_PRIVATE_KEY_PATH", "File with the private key.", unit: "path"),
    ]

    public static let groups = [VariableGroup(title: "ssh: not yet read", variables: later)]

    private static func credential(_ name: String, _ meaning: String, unit: String = "text") -> EnvironmentVariable {
        EnvironmentVariable(name, .credential, meaning, unit: unit, support: .later)
    }

    private static func secret(_ name: String, _ meaning: String, unit: String = "text") -> EnvironmentVariable {
        EnvironmentVariable(name, .credential, meaning, unit: unit, secret: true, support: .later)
    }

    private static func setting(
        _ name: String, _ meaning: String, unit: String = "text", default defaultText: String = "",
        kind: EnvironmentVariable.Kind = .setting
    ) -> EnvironmentVariable {
        EnvironmentVariable(name, kind, meaning, unit: unit, default: defaultText, support: .later)
    }
}
