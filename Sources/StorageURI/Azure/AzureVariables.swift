/// The variables that `azure` reads.
public enum AzureVariables {
    private static let later = [
        credential("AZURE_STORAGE_ACCOUNT", "Name of the storage account."),
        secret("AZURE_STORAGE_ACCESS_KEY", "The account's key."),
        secret("AZURE_STORAGE_SAS_TOKEN", "A shared access signature, in place of the key."),
        credential("AZURE_TENANT_ID", "Tenant of an application or managed identity."),
        credential("AZURE_CLIENT_ID", "Id of an application or managed identity."),
        secret("AZURE_CLIENT_SECRET", "Secret of an application."),
        credential("AZURE_CLIENT_CERTIFICATE_PATH", "Certificate of an application.", unit: "path"),
        credential("AZURE_FEDERATED_TOKEN_FILE", "Token of a workload identity.", unit: "path"),
        setting("AZURE_AUTHORITY_HOST", "Where identities are proved.", unit: "URL", kind: .endpoint),
        setting("AZURE_ENVIRONMENT_NAME", "Which of Azure's clouds.", default: "AzurePublicCloud", kind: .endpoint),
        setting("AZURE_ENDPOINT_SUFFIX", "End of the service's host name.", kind: .endpoint),
        setting("AZURE_BUFFER_SIZE", "Size of a part of an upload.", unit: "bytes", default: "8 MiB"),
        setting("AZURE_MAX_BUFFERS", "Parts sent at once.", unit: "count", default: "4"),
        setting("AZURE_TRY_TIMEOUT", "Limit for one request.", unit: "minutes", default: "5"),
        setting("AZURE_BLOB_STORE_API_VERSION", "Version of the service's interface."),
    ]

    public static let groups = [VariableGroup(title: "azure: not yet read", variables: later)]

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
