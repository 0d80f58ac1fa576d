/// Finds variables whose names look like misspellings of ones that count.
public struct MisspelledVariables: Sendable {
    /// Names without any prefix.
    private let names: [String]
    private let nameSet: Set<String>
    /// How names begin, up to the first `_`.
    private let families: Set<Substring>

    public init(_ variables: StorageVariables) {
        names = variables.names
        nameSet = Set(names).union(Self.ofOthers)
        families = Set(names.map(Self.family))
    }

    /// The variables that are likely slips, by name, and what they may be meant to be. Only names that no tool is known
    /// to read are pointed out.
    public func find(in environment: [String: String]) -> [(given: String, meant: String)] {
        environment.keys.sorted().compactMap { given in meaning(of: given).map { (given, $0) } }
    }

    private static func family(_ name: String) -> Substring { name.prefix { $0 != "_" } }

    private func isKnown(_ name: String) -> Bool {
        nameSet.contains(name) || Self.familiesOfOthers.contains(where: name.hasPrefix)
    }

    private func meaning(of given: String) -> String? {
        guard given.utf8.count >= 6, given.utf8.count <= 100 else { return nil }
        let inheritance = StorageRole.allCases.map(\.credentialsVariable)
        if !isKnown(given), let meant = NearestName.find(given, in: inheritance, limit: 2) { return meant }
        var base = given
        var prefix = ""
        for prefixes in [StorageRole.allCases.map(\.rawValue), ["WALG_", "WALE_"]] {
            guard !isKnown(base), let found = prefixes.first(where: base.hasPrefix) else { continue }
            base.removeFirst(found.count)
            prefix += found
        }
        guard !isKnown(base) else { return nil }
        let upper = base.uppercased()
        if upper != base, nameSet.contains(upper) { return prefix + upper }
        // Within a family two edits are a slip; across families one, in a long name.
        let limit = base.utf8.count < 12 ? 1 : 2
        if families.contains(Self.family(base)) {
            let relatives = names.filter { Self.family($0) == Self.family(base) }
            return NearestName.find(base, in: relatives, limit: limit).map { prefix + $0 }
        }
        guard base.utf8.count >= 12 else { return nil }
        let prefixed = prefix.isEmpty ? ["WALG_", "WALE_"] + StorageRole.allCases.map(\.rawValue) : []
        let candidates = names + prefixed.flatMap { prefix in names.map { prefix + $0 } }
        return NearestName.find(base, in: candidates, limit: 1).map { prefix + $0 }
    }

    /// Beginnings of names that Amazon's tools and others make up themselves, or have many of.
    private static let familiesOfOthers = [
        "AWS_ENDPOINT_URL_", "AWS_LAMBDA_", "AWS_CSM_", "AWS_CLI_", "AWS_VAULT_", "AWS_XRAY_", "WALG_STATSD_",
        "WALG_LIBSODIUM_", "WALG_PGP_", "WALG_CSE_KMS_", "WALG_ENVELOPE_", "WALG_FAILOVER_STORAGES",
        "GOOGLE_CLOUD_", "SSH_ASKPASS", "SSH_AGENT_",
    ]

    /// What other tools read: near to one of ours, but no slip. Those of WAL-G are without their prefix, too.
    private static let ofOthers: Set<String> = [
        "AWS_ACCOUNT_ID", "AWS_ACCOUNT_ID_ENDPOINT_MODE", "AWS_AUTH_SCHEME_PREFERENCE", "AWS_AVAILABILITY_ZONE",
        "AWS_CREDENTIAL_EXPIRATION", "AWS_CREDENTIAL_FILE", "AWS_DATA_PATH", "AWS_DEFAULTS_MODE",
        "AWS_DEFAULT_OUTPUT", "AWS_DISABLE_REQUEST_COMPRESSION", "AWS_ENABLE_ENDPOINT_DISCOVERY",
        "AWS_EXECUTION_ENV", "AWS_MAX_ATTEMPTS", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "AWS_METADATA_SERVICE_TIMEOUT",
        "AWS_OUTPUT", "AWS_PAGER", "AWS_REGION_NAME", "AWS_REGIONS", "AWS_REQUEST_CHECKSUM_CALCULATION",
        "AWS_RESPONSE_CHECKSUM_VALIDATION", "AWS_RETRY_MODE", "AWS_ROLE", "AWS_S3_BUCKET",
        "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", "AWS_S3_USE_ARN_REGION", "AWS_SDK_LOAD_CONFIG",
        "AWS_SDK_UA_APP_ID", "AWS_SECURITY_TOKEN", "AWS_SESSION_EXPIRATION", "AWS_SIGV4_SIGNING_REGION_SET",
        "AWS_STS_REGIONAL_ENDPOINTS", "AWS_USE_FIPS_ENDPOINT", "AWS_VAULT",
        "AZURE_STORAGE_AUTH_MODE", "AZURE_SUBSCRIPTION_ID", "AZURE_USERNAME", "AZURE_PASSWORD", "GOOGLE_API_KEY",
        "OS_CERT", "OS_DOMAIN_ID", "OS_DOMAIN_NAME", "OS_IMAGE_API_VERSION", "OS_KEY", "OS_PASSCODE", "OS_REGION",
        "OS_USER_NAME",
        "OS_VOLUME_API_VERSION", "OSS_ENDPOINTS", "SSH_CLIENT", "SSH_CONNECTION", "SSH_ORIGINAL_COMMAND", "SSH_TTY",
        // WAL-G
        "ALIVE_CHECK_INTERVAL", "COMPRESSION_METHOD", "CONFIG_PATH", "DELTA_FROM_NAME", "DELTA_FROM_USER_DATA",
        "DELTA_MAX_STEPS", "DELTA_ORIGIN", "DISABLE_PARTIAL_RESTORE", "DISK_RATE_LIMIT", "DOWNLOAD_CONCURRENCY",
        "DOWNLOAD_FILE_RETRIES", "FORCE_WAL_DELTA", "GPG_KEY_ID", "LOG_DESTINATION", "LOG_LEVEL",
        "NETWORK_RATE_LIMIT", "PG_BLOCK_SIZE", "PG_WAL_PAGE_SIZE", "PG_WAL_SIZE", "PREFETCH_DIR",
        "PREVENT_WAL_OVERWRITE", "SENTINEL_USER_DATA", "SKIP_REDUNDANT_TARS", "SLOTNAME", "STOP_BACKUP_TIMEOUT",
        "STORAGE_PREFIX", "STORE_ALL_CORRUPT_BLOCKS", "TARGET_STORAGE", "TAR_DISABLE_FSYNC", "TAR_SIZE_THRESHOLD",
        "UPLOAD_DISK_CONCURRENCY", "UPLOAD_QUEUE", "UPLOAD_WAL_METADATA", "USE_COPY_COMPOSER",
        "USE_DATABASE_COMPOSER", "USE_RATING_COMPOSER", "USE_REVERSE_UNPACK", "USE_WAL_DELTA",
        "VERIFY_PAGE_CHECKSUMS", "WITHOUT_FILES_METADATA", "ZSTD_LEVEL",
    ]
}
