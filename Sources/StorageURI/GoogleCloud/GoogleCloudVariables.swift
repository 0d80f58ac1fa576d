/// The variables that `gs` reads.
public enum GoogleCloudVariables {
    private static let later = [
        credential("GOOGLE_APPLICATION_CREDENTIALS", "File with the application's credentials.", unit: "path"),
        secret("GCS_ENCRYPTION_KEY", "A key of your own to encrypt with.", unit: "32 bytes in Base64"),
        setting("GCS_CONTEXT_TIMEOUT", "Limit for one operation.", unit: "seconds", default: "3600"),
        setting("GCS_NORMALIZE_PREFIX", "Remove doubled slashes.", unit: "true or false", default: "true"),
        setting("GCS_MAX_CHUNK_SIZE", "Size of a part of an upload.", unit: "bytes", default: "50 MiB"),
        setting("GCS_MAX_RETRIES", "How often a request is repeated.", unit: "count", default: "16"),
    ]

    public static let groups = [VariableGroup(title: "gs: not yet read", variables: later)]

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
