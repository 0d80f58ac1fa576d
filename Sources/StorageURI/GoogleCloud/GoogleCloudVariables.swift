/// The variables that `gs` reads.
public enum GoogleCloudVariables {
    // MARK: - Credentials

    static let applicationCredentials = EnvironmentVariable(
        "GOOGLE_APPLICATION_CREDENTIALS", .credential,
        "File with credentials: of a service account, a user, workload identity federation or impersonation.",
        unit: "path of a JSON file")
    static let configDirectory = EnvironmentVariable(
        "CLOUDSDK_CONFIG", .credential, "Directory where gcloud keeps `application_default_credentials.json`.",
        unit: "path", default: "`~/.config/gcloud`")
    static let metadataHost = EnvironmentVariable(
        "GCE_METADATA_HOST", aliases: ["GCE_METADATA_ROOT"], .credential,
        "Host of the instance's metadata, with its port if it has one.",
        unit: "host", default: "`169.254.169.254`")
    static let metadataAddress = EnvironmentVariable(
        "GCE_METADATA_IP", .credential, "The same, where `GCE_METADATA_HOST` is not set.", unit: "host")
    static let metadataDisabled = EnvironmentVariable(
        "NO_GCE_CHECK", "Do not ask the instance's metadata.", unit: "true or false", default: "false")

    static let credentials = [
        applicationCredentials, configDirectory, metadataHost, metadataAddress, metadataDisabled,
    ]

    // MARK: - Settings

    static let endpoint = EnvironmentVariable(
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", aliases: ["GOOGLE_STORAGE_CUSTOM_ENDPOINT"], .endpoint,
        "A private endpoint of the service.", unit: "URL", default: "`https://storage.googleapis.com`")
    static let emulatorHost = EnvironmentVariable(
        "STORAGE_EMULATOR_HOST", .endpoint,
        "An emulator to use in place of the service, without credentials unless a file of them is named.",
        unit: "URL, or host and port")
    static let quotaProject = EnvironmentVariable(
        "GOOGLE_CLOUD_QUOTA_PROJECT",
        "The project that is billed for requests, as buckets with “requester pays” need it.",
        unit: "name of a project", default: "`quota_project_id` of the credentials' file")
    static let encryptionKey = EnvironmentVariable(
        "GCS_ENCRYPTION_KEY", "A key of your own, with which the service encrypts and which it does not keep (CSEK).",
        unit: "32 bytes in Base64", secret: true)
    static let chunkSize = EnvironmentVariable(
        "GCS_MAX_CHUNK_SIZE", "What one request of an upload sends at most. Rounded up to a multiple of 256 KiB.",
        unit: "bytes", default: "16 MiB")
    public static let maxRetries = EnvironmentVariable(
        "GCS_MAX_RETRIES", "How often a request is repeated after a failure that may pass.", unit: "count",
        default: "10")
    static let requestTimeout = EnvironmentVariable(
        "GCS_CONTEXT_TIMEOUT", "Limit for one request as a whole, before it is repeated.", unit: "seconds",
        default: "600")

    static let settings = [
        endpoint, emulatorHost, quotaProject, encryptionKey, chunkSize, maxRetries, requestTimeout,
    ]

    /// Names that WAL-G reads and Zenith need not.
    static let withoutEffect = [
        EnvironmentVariable(
            "GCS_NORMALIZE_PREFIX", "Whether WAL-G removes doubled slashes from a prefix.",
            support: .withoutEffect("a prefix with doubled slashes is refused"))
    ]

    public static let groups = [
        VariableGroup(title: "gs: credentials", variables: credentials),
        VariableGroup(title: "gs: settings", variables: settings),
        VariableGroup(title: "gs: read by WAL-G, without effect here", variables: withoutEffect),
    ]
}
