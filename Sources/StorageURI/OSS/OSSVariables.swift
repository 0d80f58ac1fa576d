/// The variables that `oss` reads.
public enum OSSVariables {
    private static let later = [
        credential("OSS_ACCESS_KEY_ID", "Id of the access key."),
        secret("OSS_ACCESS_KEY_SECRET", "The access key's secret."),
        secret("OSS_SESSION_TOKEN", "Token that temporary keys come with."),
        credential("OSS_ROLE_ARN", "Role to assume.", unit: "ARN"),
        credential("OSS_ROLE_SESSION_NAME", "Name of the session."),
        setting("OSS_REGION", "The bucket's region."),
        setting("OSS_ENDPOINT", "The service to talk to.", unit: "URL", kind: .endpoint),
        setting("OSS_SKIP_VALIDATION", "No check at start.", unit: "true or false", default: "false"),
        setting("OSS_MAX_RETRIES", "How often a request is repeated.", unit: "count", default: "5"),
        setting("OSS_CONNECT_TIMEOUT", "Limit for opening a connection.", unit: "seconds", default: "5"),
        setting("OSS_UPLOAD_PART_SIZE", "Size of a part of an upload.", unit: "bytes", default: "6 MiB"),
        setting("OSS_COPY_PART_SIZE", "Size of a part of a copy.", unit: "bytes", default: "64 MiB"),
    ]

    public static let groups = [VariableGroup(title: "oss: not yet read", variables: later)]

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
