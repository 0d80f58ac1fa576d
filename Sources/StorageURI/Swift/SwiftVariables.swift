/// The variables that `swift` reads.
public enum SwiftVariables {
    private static let later =
        [
            setting("OS_AUTH_URL", "The identity service.", unit: "URL", kind: .endpoint),
            credential("OS_USERNAME", "User, by name."), credential("OS_USER_ID", "User, by id."),
            secret("OS_PASSWORD", "The user's password."),
            setting("OS_REGION_NAME", "Region of the storage."),
            setting("OS_ENDPOINT_TYPE", "Which of the storage's addresses.", default: "public"),
            setting("OS_STORAGE_URL", "The storage, in place of what the identity service says.", kind: .endpoint),
            secret("OS_AUTH_TOKEN", "A token, in place of user and password."),
            credential("OS_TRUST_ID", "Trust to act under."),
            credential("OS_APPLICATION_CREDENTIAL_ID", "Application credential, by id."),
            credential("OS_APPLICATION_CREDENTIAL_NAME", "Application credential, by name."),
            secret("OS_APPLICATION_CREDENTIAL_SECRET", "Secret of the application credential."),
        ]
        + ["OS_TENANT_NAME", "OS_TENANT_ID", "OS_PROJECT_NAME"].map { credential($0, "The project.") }
        + ["OS_USER_DOMAIN_NAME", "OS_USER_DOMAIN_ID"].map { credential($0, "Domain of the user.") }
        + ["OS_PROJECT_DOMAIN_NAME", "OS_PROJECT_DOMAIN_ID"].map { credential($0, "Domain of the project.") }
        + [
            setting("ST_AUTH_VERSION", "Version of authentication.", unit: "1, 2 or 3"),
            setting("ST_AUTH", "The service, for version 1.", unit: "URL", kind: .endpoint),
            credential("ST_USER", "User, for version 1."), secret("ST_KEY", "Key, for version 1."),
        ]

    public static let groups = [VariableGroup(title: "swift: not yet read", variables: later)]

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
