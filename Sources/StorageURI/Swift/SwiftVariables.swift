/// The variables that `swift` reads.
public enum SwiftVariables {
    // Where requests go.
    public static let authURL = EnvironmentVariable(
        "OS_AUTH_URL", .endpoint,
        "The identity service: Keystone, or for version 1 the storage itself. Without a version at the end of its path "
            + "it is asked which it speaks.", unit: "URL")
    public static let legacyAuthURL = EnvironmentVariable(
        "ST_AUTH", .endpoint, "The same, for version 1; goes with `ST_USER` and `ST_KEY`.", unit: "URL")
    public static let storageURL = EnvironmentVariable(
        "OS_STORAGE_URL", .endpoint, "The account's address, in place of what the identity service says.",
        unit: "URL, with the account in its path", default: "the identity service's catalogue")
    static let version = EnvironmentVariable(
        "ST_AUTH_VERSION", aliases: ["OS_AUTH_VERSION", "OS_IDENTITY_API_VERSION"], "Version of authentication.",
        unit: "1, 2 or 3", default: "the one in the URL's path, else the service is asked")
    public static let region = EnvironmentVariable(
        "OS_REGION_NAME", "Region of the storage.", unit: "region name", default: "the first in the catalogue")
    static let interface = EnvironmentVariable(
        "OS_ENDPOINT_TYPE", aliases: ["OS_INTERFACE"], "Which of the storage's addresses in the catalogue.",
        unit: "`public`, `internal` or `admin`", default: "public")
    static let isInternal = EnvironmentVariable(
        "GOSWIFT_INTERNAL", "Use the internal address. With version 1: the host with `snet-` before its name.",
        unit: "true or false", default: "false")
    static let certificateAuthorityFile = EnvironmentVariable(
        "OS_CACERT", "Certificate authorities to trust in place of the system's.", unit: "path of a PEM file",
        default: "`cacert` of the cloud, else `SSL_CERT_FILE`")

    // How objects are written.
    static let segmentSize = EnvironmentVariable(
        "SWIFT_SEGMENT_SIZE",
        "Size of a segment of a large object. An object whose length is known before is sent in one piece up to four "
            + "times this.", unit: "bytes, or with KiB, MiB, GiB", default: "32 MiB")

    // How requests are repeated, and their limits.
    public static let retries = EnvironmentVariable(
        "GOSWIFT_RETRIES", "How often a request is repeated after a failure that may pass.", unit: "count",
        default: "10")
    static let connectTimeout = EnvironmentVariable(
        "GOSWIFT_CONNECT_TIMEOUT", "Limit for opening a connection.", unit: "seconds", default: "10")
    static let stallTimeout = EnvironmentVariable(
        "GOSWIFT_TIMEOUT", "A request that moves no byte for so long is given up and repeated.", unit: "seconds",
        default: "60")
    static let userAgent = EnvironmentVariable(
        "GOSWIFT_USER_AGENT", "What requests name as their sender.", default: "zenith")

    static let settings = [
        authURL, legacyAuthURL, storageURL, version, region, interface, isInternal, certificateAuthorityFile,
        segmentSize, retries, connectTimeout, stallTimeout, userAgent,
    ]

    public static let groups = [
        VariableGroup(title: "swift: credentials", variables: SwiftCredentialVariables.all),
        VariableGroup(title: "swift: settings", variables: settings),
    ]
}
