/// The variables that `s3` reads.
public enum S3Variables {
    // Where requests go.
    public static let endpoint = EnvironmentVariable(
        "AWS_ENDPOINT_URL_S3", aliases: ["AWS_ENDPOINT_URL", "AWS_ENDPOINT"], .endpoint,
        "The service to talk to, for everything that is not Amazon's. Without a scheme it means https.",
        unit: "URL", default: "Amazon's, by region")
    static let endpointSource = EnvironmentVariable(
        "S3_ENDPOINT_SOURCE", .endpoint,
        "A service that answers with a host to connect to in place of the endpoint's, under whose name requests go on: it "
            + "is asked every ten seconds, and the endpoint serves where it gives none.", unit: "URL")
    static let endpointPort = EnvironmentVariable(
        "S3_ENDPOINT_PORT", "Port of that host.", unit: "port", default: "443")
    static let endpointProtocol = EnvironmentVariable(
        "S3_ENDPOINT_PROTOCOL", "How that host is spoken to.", unit: "`http` or `https`", default: "the endpoint's")
    static let ignoreProfileEndpoint = EnvironmentVariable(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "Take no notice of `endpoint_url` in the profile.",
        unit: "true or false", default: "false")
    public static let region = EnvironmentVariable(
        "AWS_REGION", aliases: ["AWS_DEFAULT_REGION"], "The bucket's region.", unit: "region name",
        default: "the profile's `region`, else the service is asked")
    static let forcePathStyle = EnvironmentVariable(
        "AWS_S3_FORCE_PATH_STYLE", "Put the bucket into the path (`https://host/bucket/key`), not into the host name.",
        unit: "true or false",
        default: "true where the endpoint is not Amazon's or the bucket's name does not fit a host name")
    static let dualStack = EnvironmentVariable(
        "AWS_DUAL_STACK", aliases: ["AWS_USE_DUALSTACK_ENDPOINT"], "Use Amazon's hosts that answer over IPv6 too.",
        unit: "true or false", default: "false")
    static let certificateAuthorityFile = EnvironmentVariable(
        "S3_CA_CERT_FILE", aliases: ["AWS_CA_BUNDLE"], "Certificate authorities to trust in place of the system's.",
        unit: "path of a PEM file", default: "`SSL_CERT_FILE`")

    // How objects are written.
    static let partSize = EnvironmentVariable(
        "S3_MAX_PART_SIZE", "Size of a part of a multipart upload; an object up to this size is sent in one request.",
        unit: "bytes, or with KiB, MiB, GiB", default: "20 MiB")
    static let signsPayload = EnvironmentVariable(
        "S3_SIGN_PAYLOAD",
        "Sign what is uploaded, not only the request: a SHA-256 of all bytes. Without it a CRC-32C goes with them.",
        unit: "true or false", default: "true, save over plain http within this machine")
    static let storageClass = EnvironmentVariable(
        "S3_STORAGE_CLASS", "Storage class of new objects.", unit: "name, such as `STANDARD_IA`",
        default: "the bucket's")
    static let encryption = EnvironmentVariable(
        "S3_SSE", "Encryption by the service.", unit: "`AES256`, `aws:kms` or `aws:kms:dsse`",
        default: "the bucket's")
    static let encryptionKeyID = EnvironmentVariable(
        "S3_SSE_KMS_ID", "Id of the KMS key. Required with `aws:kms` and `aws:kms:dsse`, refused without.")
    static let customerKey = EnvironmentVariable(
        "S3_SSE_C",
        "A key of your own, with which the service encrypts and which it does not keep (SSE-C). `S3_SSE` may be `AES256` "
            + "beside it.", unit: "32 bytes, as they are or in Base64", secret: true)
    static let retentionPeriod = EnvironmentVariable(
        "S3_RETENTION_PERIOD",
        "How long new objects are locked. The bucket must have object lock; one that does not lock is an error.",
        unit: "seconds; -1 for no lock", default: "-1")
    static let retentionMode = EnvironmentVariable(
        "S3_RETENTION_MODE", "Whether those with the permission for it may unlock (`GOVERNANCE`), or nobody.",
        unit: "`GOVERNANCE` or `COMPLIANCE`", default: "GOVERNANCE")
    static let additionalHeaders = EnvironmentVariable(
        "S3_REQUEST_ADDITIONAL_HEADERS", "Headers to send with every request.",
        unit: "`Name: value` lines, as in YAML, or a JSON object", secret: true)

    // How requests are repeated, and their limits.
    static let usesListObjectsV1 = EnvironmentVariable(
        "S3_USE_LIST_OBJECTS_V1", "List with the older ListObjects call, for services without ListObjectsV2.",
        unit: "true or false", default: "false")
    static let deleteBatchSize = EnvironmentVariable(
        "S3_DELETE_BATCH_SIZE", "Objects named in one delete request.", unit: "count, 1 to 1000", default: "1000")
    public static let maxRetries = EnvironmentVariable(
        "S3_MAX_RETRIES", "How often a request is repeated after a failure that may pass.", unit: "count",
        default: "10")
    static let minThrottlingDelay = EnvironmentVariable(
        "S3_MIN_THROTTLING_RETRY_DELAY", "First wait after the service asked to slow down.", unit: "milliseconds",
        default: "500")
    static let maxThrottlingDelay = EnvironmentVariable(
        "S3_MAX_THROTTLING_RETRY_DELAY", "Longest wait after the service asked to slow down.", unit: "milliseconds",
        default: "30000")
    static let connectTimeout = EnvironmentVariable(
        "S3_CONNECT_TIMEOUT", "Limit for opening a connection.", unit: "seconds", default: "10")
    static let stallTimeout = EnvironmentVariable(
        "S3_STALL_TIMEOUT", "A request that moves no byte for so long is given up and repeated.", unit: "seconds",
        default: "30")
    static let requestTimeout = EnvironmentVariable(
        "S3_REQUEST_TIMEOUT", "Limit for one request as a whole, before it is repeated.", unit: "seconds",
        default: "600")

    static let settings = [
        endpoint, endpointSource, endpointPort, endpointProtocol, ignoreProfileEndpoint, region, forcePathStyle,
        dualStack, certificateAuthorityFile, partSize, storageClass, encryption, encryptionKeyID, customerKey,
        retentionPeriod, retentionMode, additionalHeaders, usesListObjectsV1, deleteBatchSize, maxRetries,
        minThrottlingDelay, maxThrottlingDelay, connectTimeout,
        stallTimeout, requestTimeout,
    ]

    /// Names that WAL-G reads and Zenith need not.
    static let withoutEffect = [
        unused("S3_LOG_LEVEL", "WAL-G's log of requests.", "see `--log-level`"),
        unused("S3_RANGE_BATCH_ENABLED", "Reading in ranges.", "a broken read is always resumed"),
        unused("S3_RANGE_MAX_RETRIES", "Retries of a range.", "`S3_MAX_RETRIES` counts"),
        unused("S3_SKIP_VALIDATION", "WAL-G's check at start.", "see `config check`"),
        unused(
            "S3_USE_YC_SESSION_TOKEN", "Credentials of Yandex Cloud's metadata, sent in a header of its own.",
            "no service to prove it on: use a static key of the service account"),
        unused("S3_DISABLE_100_CONTINUE", "No `Expect: 100-continue`.", "it is never sent"),
        unused(
            "CSE_KMS_ID", "A key of Amazon's KMS to encrypt with before objects are sent.",
            "see `S3_SSE` and `S3_SSE_C`"),
        unused("CSE_KMS_REGION", "Where that key is.", "goes with `CSE_KMS_ID`"),
        unused("S3_ENABLE_VERSIONING", "WAL-G's use of object versions.", "objects are never overwritten"),
    ]

    private static func unused(_ name: String, _ meaning: String, _ reason: String) -> EnvironmentVariable {
        EnvironmentVariable(name, meaning, support: .withoutEffect(reason))
    }

    public static let groups = [
        VariableGroup(title: "s3: credentials", variables: AWSCredentialVariables.all),
        VariableGroup(title: "s3: settings", variables: settings),
        VariableGroup(title: "s3: read by WAL-G, without effect here", variables: withoutEffect),
    ]
}
