/// The variables that `azure` reads.
public enum AzureVariables {
    // Where requests go.
    public static let account = EnvironmentVariable(
        "AZURE_STORAGE_ACCOUNT", .endpoint, "Name of the storage account.",
        default: "that of the connection string or endpoint")
    public static let serviceEndpoint = EnvironmentVariable(
        "AZURE_STORAGE_SERVICE_ENDPOINT", aliases: ["AZURE_STORAGE_BLOB_ENDPOINT", "AZURE_STORAGE_ENDPOINT"],
        .endpoint,
        "The blob service to talk to, for what is not at its usual host; with the account in the path, where it is not in "
            + "the host's name.", unit: "URL", default: "`https://ACCOUNT.blob.SUFFIX`")
    static let cloud = EnvironmentVariable(
        "AZURE_ENVIRONMENT_NAME", .endpoint, "Which of Azure's clouds.",
        unit: AzureCloud.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", "),
        default: AzureCloud.global.rawValue)
    static let endpointSuffix = EnvironmentVariable(
        "AZURE_ENDPOINT_SUFFIX", .endpoint, "End of the service's host name.", unit: "host name",
        default: "the cloud's, such as `core.windows.net`")
    static let apiVersion = EnvironmentVariable(
        "AZURE_BLOB_STORE_API_VERSION", "Version of the service's interface, for services that lack the usual one.",
        unit: "date, such as `2019-12-12`", default: AzureSettings.usualAPIVersion)

    // How objects are written, and the limits of requests.
    static let bufferSize = EnvironmentVariable(
        "AZURE_BUFFER_SIZE",
        "Size of a block; an object up to this size is sent in one request. At least 1 MiB counts.",
        unit: "bytes, or with KiB, MiB, GiB", default: "8 MiB")
    static let maxBuffers = EnvironmentVariable(
        "AZURE_MAX_BUFFERS", "Blocks of one object sent at once. Memory is this times the block size.", unit: "count",
        default: "`UPLOAD_CONCURRENCY`")
    static let tryTimeout = EnvironmentVariable(
        "AZURE_TRY_TIMEOUT", "Limit for one request, before it is repeated; 0 for none.", unit: "minutes",
        default: "5")
    public static let maxRetries = EnvironmentVariable(
        "AZURE_MAX_RETRIES", "How often a request is repeated after a failure that may pass.", unit: "count",
        default: "10")

    static let settings = [
        account, serviceEndpoint, cloud, endpointSuffix, apiVersion, bufferSize, maxBuffers, tryTimeout, maxRetries,
    ]

    public static let groups = [
        VariableGroup(title: "azure: credentials", variables: AzureCredentialVariables.all),
        VariableGroup(title: "azure: settings", variables: settings),
    ]
}
