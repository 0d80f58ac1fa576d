import ObjectStorage
import StorageURI
import Testing

@Suite("misspelt variables")
struct MisspelledVariableTests {
    private let misspelled = MisspelledVariables(ObjectStores.variables)

    @Test(
        "a slip is pointed out, with what is meant",
        arguments: [
            ("AWS_SECRET_ACESS_KEY", "AWS_SECRET_ACCESS_KEY"), ("WALG_S3_PREFX", "WALG_S3_PREFIX"),
            ("AWS_ACCESS_KEYID", "AWS_ACCESS_KEY_ID"), ("AWS_ENPOINT_URL", "AWS_ENDPOINT_URL"),
            ("SNAPSHOT_AWS_ACCESS_KEY_DI", "SNAPSHOT_AWS_ACCESS_KEY_ID"), ("AWS_REGOIN", "AWS_REGION"),
            ("SNAPHOT_AWS_ACCESS_KEY_ID", "SNAPSHOT_AWS_ACCESS_KEY_ID"), ("WAGL_S3_PREFIX", "WALG_S3_PREFIX"),
            ("WAL_WALG_S3_PREFFIX", "WAL_WALG_S3_PREFIX"), ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
            ("SNAPSHOT_CREDENTIAL", "SNAPSHOT_CREDENTIALS"), ("AZURE_STORAGE_ACOUNT", "AZURE_STORAGE_ACCOUNT"),
            ("OS_PASWORD", "OS_PASSWORD"),
            ("ASW_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
            ("S3_CA_CERTFILE", "S3_CA_CERT_FILE"), ("WALG_UPLOAD_CONCURENCY", "WALG_UPLOAD_CONCURRENCY"),
        ])
    func slip(given: String, meant: String) {
        let found = misspelled.find(in: [given: "x", "PATH": "/bin"])
        #expect(found.map(\.given) == [given] && found.map(\.meant) == [meant], "\(found)")
    }

    @Test("a name that counts is no slip")
    func known() {
        #expect(misspelled.find(in: ["OS_PASSWORD": "x", "AWS_REGION": "x"]).isEmpty)
    }

    @Test("names that count, and names that others read, are none")
    func noFalseAlarms() {
        let others = """
            PATH HOME USER SHELL TERM LANG LC_ALL PWD OLDPWD TZ HOSTNAME EDITOR TMPDIR LOGNAME SHLVL MAIL _ LS_COLORS
            PGHOST PGPORT PGUSER PGPASSWORD PGDATA PGDATABASE PGSSLMODE http_proxy https_proxy no_proxy HTTPS_PROXY
            SSH_AUTH_SOCK SSH_AGENT_PID SSH_CLIENT SSH_CONNECTION SSH_TTY SSH_ASKPASS SSH_ORIGINAL_COMMAND
            AWS_DEFAULT_OUTPUT AWS_PAGER AWS_MAX_ATTEMPTS AWS_RETRY_MODE AWS_SDK_LOAD_CONFIG AWS_EXECUTION_ENV
            AWS_STS_REGIONAL_ENDPOINTS AWS_USE_FIPS_ENDPOINT AWS_VAULT AWS_SECURITY_TOKEN AWS_SESSION_EXPIRATION
            AWS_CREDENTIAL_EXPIRATION AWS_ACCOUNT_ID AWS_LAMBDA_FUNCTION_NAME AWS_ENDPOINT_URL_SSM AWS_ENDPOINT_URL_SNS
            AWS_ENDPOINT_URL_DYNAMODB AWS_METADATA_SERVICE_TIMEOUT AWS_REGION_NAME AWS_BUCKET AWS_S3_BUCKET
            AWS_REQUEST_CHECKSUM_CALCULATION AWS_RESPONSE_CHECKSUM_VALIDATION AWS_CLI_AUTO_PROMPT AWS_DATA_PATH
            OS_TOKEN OS_CLOUD OS_CACERT OS_CERT OS_KEY OS_IDENTITY_API_VERSION OS_INTERFACE OS_AUTH_TYPE OS_NAME OS_TYPE
            OS_VERSION OS_PROJECT_ID OS_DOMAIN_NAME OS_REGION OS_RELEASE S3_BUCKET S3_REGION S3_ENDPOINT S3_KEY
            AZURE_STORAGE_CONNECTION_STRING AZURE_STORAGE_KEY AZURE_SUBSCRIPTION_ID AZURE_CONFIG_DIR
            GOOGLE_CLOUD_PROJECT GOOGLE_API_KEY WALG_COMPRESSION_METHOD WALG_DELTA_MAX_STEPS WALG_PGP_KEY
            WALG_DOWNLOAD_CONCURRENCY WALG_UPLOAD_DISK_CONCURRENCY WALG_TAR_SIZE_THRESHOLD WALG_LIBSODIUM_KEY
            WALG_STORAGE_PREFIX WALG_LOG_LEVEL WALG_SLOTNAME WALG_STATSD_ADDRESS WALG_FAILOVER_STORAGES_CHECK
            WALG_PREVENT_WAL_OVERWRITE WALG_NETWORK_RATE_LIMIT WALG_CONFIG_PATH WALG_UPLOAD_QUEUE WALG_USE_WAL_DELTA
            WALG_S3_SSE WALE_S3_PREFIX STORAGE_CLASS STORAGE_ACCOUNT STORAGE_DRIVER STORAGE_TYPE WAL_LEVEL WAL_DIR
            SNAPSHOT_ID SNAPSHOT_NAME SNAPSHOT_DIR MY_PREFIX INSTALL_PREFIX CMAKE_PREFIX FILE_NAME FILE_PATH GS_LIB
            ZENITH_DIR KUBERNETES_SERVICE_HOST DOCKER_HOST NODE_ENV CARGO_HOME GOPATH JAVA_HOME ST_NOTIFY_SOCKET
            """.split(whereSeparator: \.isWhitespace).map(String.init)
        #expect(misspelled.find(in: Dictionary(others.map { ($0, "x") }) { $1 }).map(\.given) == [])
        for group in ObjectStores.variables.groups {
            for name in group.variables.flatMap(\.names) {
                for prefix in ["", "WALG_", "WALE_", "SNAPSHOT_", "STORAGE_", "WAL_", "WAL_WALG_"] {
                    #expect(misspelled.find(in: [prefix + name: "x"]).isEmpty, "\(prefix + name)")
                }
            }
        }
    }
}
