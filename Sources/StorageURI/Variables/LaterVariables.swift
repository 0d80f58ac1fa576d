/// The variables of the storages whose locations are read already and whose transport is not there yet: known by name,
/// so that none of them passes for a misspelling of another.
enum LaterVariables {
    static let googleCloud = [
        location(.gs),
        credential("GOOGLE_APPLICATION_CREDENTIALS", "File with the application's credentials.", unit: "path"),
        secret("GCS_ENCRYPTION_KEY", "A key of your own to encrypt with.", unit: "32 bytes in Base64"),
        setting("GCS_CONTEXT_TIMEOUT", "Limit for one operation.", unit: "seconds", default: "3600"),
        setting("GCS_NORMALIZE_PREFIX", "Remove doubled slashes.", unit: "true or false", default: "true"),
        setting("GCS_MAX_CHUNK_SIZE", "Size of a part of an upload.", unit: "bytes", default: "50 MiB"),
        setting("GCS_MAX_RETRIES", "How often a request is repeated.", unit: "count", default: "16"),
    ]

    static let azure = [
        location(.azure),
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

    static let swift =
        [
            location(.swift),
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

    static let alibaba = [
        location(.oss),
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

    static let ssh = [
        location(.ssh),
        setting("SSH_PORT", "The port, where the location has none.", unit: "port", default: "22", kind: .endpoint),
        credential("SSH_USERNAME", "Who to log in as, where the location does not say."),
        secret("SSH_PASSWORD", "The password."),
        credential("SSH_PRIVATE_KEY_PATH", "File with the private key.", unit: "path"),
    ]

    private static func location(_ scheme: StorageScheme) -> EnvironmentVariable {
        .location(scheme)
    }

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

extension EnvironmentVariable {
    /// The variable whose name stands for a location.
    static func location(_ scheme: StorageScheme) -> EnvironmentVariable {
        let form = scheme == .file ? "`/path` or `file:///path`" : "`\(scheme.form)`"
        return EnvironmentVariable(
            scheme.locationVariable, .location, "The location that the name `\(scheme.locationVariable)` stands for.",
            unit: form)
    }
}
