/// The variables that `oss` reads.
public enum OSSVariables {
    // Where requests go.
    static let region = EnvironmentVariable(
        "OSS_REGION", "The bucket's region, such as `cn-hangzhou`.", unit: "region name",
        default: "that in the name of `OSS_ENDPOINT`")
    static let endpoint = EnvironmentVariable(
        "OSS_ENDPOINT", .endpoint,
        "The service to talk to: an internal or accelerated address of Alibaba Cloud, or a service of one's own. "
            + "Without a scheme it means https.",
        unit: "URL", default: "`https://oss-REGION.aliyuncs.com`")
    static let addressingStyle = EnvironmentVariable(
        "OSS_ADDRESSING_STYLE",
        "Where the bucket's name goes: before the host (`virtual`), into the path (`path`), or nowhere, the host being "
            + "one that is bound to the bucket (`cname`).",
        unit: "`virtual`, `path` or `cname`",
        default: "`virtual`; `path` where the endpoint is an IP address or localhost")
    static let signatureVersion = EnvironmentVariable(
        "OSS_SIGNATURE_VERSION", "How requests are signed. `v4` needs the region.", unit: "`v4` or `v1`",
        default: "`v4`; `v1` where neither variable tells the region")

    // How objects are written.
    static let partSize = EnvironmentVariable(
        "OSS_UPLOAD_PART_SIZE",
        "Size of a part of a multipart upload; an object up to this size is sent in one request.",
        unit: "bytes, or with KiB, MiB, GiB", default: "20 MiB")
    static let storageClass = EnvironmentVariable(
        "OSS_STORAGE_CLASS", "Storage class of new objects.", unit: "name, such as `IA`", default: "the bucket's")

    // How requests are repeated, and their limits.
    public static let maxRetries = EnvironmentVariable(
        "OSS_MAX_RETRIES", "How often a request is repeated after a failure that may pass.", unit: "count",
        default: "10")
    static let connectTimeout = EnvironmentVariable(
        "OSS_CONNECT_TIMEOUT", "Limit for opening a connection.", unit: "seconds", default: "5")
    static let stallTimeout = EnvironmentVariable(
        "OSS_STALL_TIMEOUT", "A request that moves no byte for so long is given up and repeated.", unit: "seconds",
        default: "30")
    static let requestTimeout = EnvironmentVariable(
        "OSS_REQUEST_TIMEOUT", "Limit for one request as a whole, before it is repeated.", unit: "seconds",
        default: "600")

    static let settings = [
        region, endpoint, addressingStyle, signatureVersion, partSize, storageClass, maxRetries, connectTimeout,
        stallTimeout, requestTimeout,
    ]

    static let withoutEffect = [
        EnvironmentVariable(
            "OSS_SKIP_VALIDATION", "WAL-G's check at start.", support: .withoutEffect("see `config check`")),
        EnvironmentVariable(
            "OSS_COPY_PART_SIZE", "Size of a part of a copy.", support: .withoutEffect("nothing is copied")),
    ]

    public static let groups = [
        VariableGroup(title: "oss: credentials", variables: AlibabaCredentialVariables.all),
        VariableGroup(title: "oss: settings", variables: settings),
        VariableGroup(title: "oss: read by WAL-G, without effect here", variables: withoutEffect),
    ]
}
