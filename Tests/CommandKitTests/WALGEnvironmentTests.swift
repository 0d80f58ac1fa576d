import Foundation
import Glibc
import ObjectStorage
import StorageURI
import TestSupport
import Testing

/// Environments of WAL-G users, as its documentation writes them (docs/STORAGES.md): nothing is changed but hosts, keys
/// and paths. Each must do as it is.
@Suite("environments made for WAL-G")
struct WALGEnvironmentTests {
    struct Case: Sendable, CustomTestStringConvertible {
        /// Which storage, and which of its ways.
        let name: String
        /// What stands for the location: `S3_PREFIX`.
        let prefix: String
        /// What each holds. `FOLDER` in a value is a directory of the test's own, with the files of `files` in it.
        let variables: [String: String]
        var files: [String: String] = [:]
        /// What `config check` has to say.
        var facts: [String] = []

        var testDescription: String { name }
    }

    private static let keys = [
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ]

    private static func s3(
        _ name: String, _ more: [String: String], files: [String: String] = [:], facts: [String] = []
    ) -> Case {
        let location = more["WALE_S3_PREFIX"] == nil ? ["WALG_S3_PREFIX": "s3://bucket/path/to/folder"] : [:]
        return Case(
            name: "s3: \(name)", prefix: "S3_PREFIX", variables: location.merging(more) { $1 }, files: files,
            facts: ["location: s3://bucket/path/to/folder", "service: "] + facts)
    }

    /// One line an environment; a storage of another kind adds its own.
    static let cases: [Case] = [
        s3("keys", keys, facts: ["credentials: AWS_ACCESS_KEY_ID (key …MPLE)"]),
        s3(
            "keys of a session", keys.merging(["AWS_SESSION_TOKEN": "token", "AWS_REGION": "us-west-2"]) { $1 },
            facts: ["region: us-west-2 (AWS_REGION)"]),
        s3(
            "WAL-E's prefix and keys", keys.merging(["WALE_S3_PREFIX": "s3://bucket/path/to/folder"]) { $1 },
            facts: [", by WALE_S3_PREFIX"]),
        s3(
            "a profile", ["AWS_PROFILE": "backup"],
            files: [
                ".aws/credentials":
                    "[backup]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret\n"
            ], facts: ["credentials: profile backup of FOLDER/.aws/credentials (key …MPLE)"]),
        s3("nothing: the instance's role", [:], facts: ["credentials: come from a service"]),
        s3(
            "a role",
            keys.merging([
                "AWS_ROLE_ARN": "arn:aws:iam::123123123123:role/s3_access", "AWS_ROLE_SESSION_NAME": "walg",
            ]) { $1 }, facts: ["credentials: come from a service"]),
        s3(
            "Minio, as in the documentation's example",
            [
                "AWS_ACCESS_KEY_ID": "minio-key", "AWS_SECRET_ACCESS_KEY": "minio-secret",
                "WALG_S3_PREFIX": "s3://bucket/path/to/folder", "AWS_ENDPOINT": "http://minio:9000",
                "AWS_S3_FORCE_PATH_STYLE": "true", "AWS_REGION": "us-east-1",
                "WALG_S3_CA_CERT_FILE": "FOLDER/authority.pem",
            ], files: ["authority.pem": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
            facts: ["service: http://minio:9000 (AWS_ENDPOINT)"]),
        s3(
            "hosts picked by a service",
            keys.merging([
                "AWS_ENDPOINT": "https://s3-like-service", "S3_ENDPOINT_SOURCE": "http://balancer/host",
                "S3_ENDPOINT_PORT": "443", "S3_ENDPOINT_PROTOCOL": "https",
            ]) { $1 }, facts: ["hosts: as http://balancer/host says, port 443 (S3_ENDPOINT_SOURCE)"]),
        s3(
            "every other documented variable",
            keys.merging([
                "AWS_REGION": "us-west-2", "WALG_S3_STORAGE_CLASS": "STANDARD_IA", "WALG_S3_SSE": "aws:kms",
                "WALG_S3_SSE_KMS_ID": "1234abcd-12ab-34cd-56ef-1234567890ab", "WALG_CSE_KMS_ID": "some-key",
                "WALG_CSE_KMS_REGION": "us-west-2", "WALG_S3_RANGE_BATCH_ENABLED": "TRUE",
                "WALG_S3_RANGE_MAX_RETRIES": "10", "WALG_S3_USE_LIST_OBJECTS_V1": "true",
                "WALG_S3_MAX_RETRIES": "15", "S3_MIN_THROTTLING_RETRY_DELAY": "500",
                "S3_MAX_THROTTLING_RETRY_DELAY": "300000", "S3_RETENTION_PERIOD": "86400",
                "S3_RETENTION_MODE": "GOVERNANCE", "S3_SKIP_VALIDATION": "true", "S3_ENABLE_VERSIONING": "enabled",
                "S3_DELETE_BATCH_SIZE": "1000", "WALG_UPLOAD_CONCURRENCY": "16", "WALG_S3_MAX_PART_SIZE": "20971520",
            ]) { $1 },
            facts: [
                "object lock: GOVERNANCE, 86400 s (S3_RETENTION_PERIOD)",
                "WALG_CSE_KMS_ID: has no effect", "S3_SKIP_VALIDATION: has no effect",
            ]),
        s3(
            "what only its source names",
            [
                "AWS_ACCESS_KEY": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_KEY": "secret", "AWS_DUAL_STACK": "true",
                "S3_SSE": "AES256", "S3_SSE_C": "MySecretKey32BytesLongForSSE!123", "S3_LOG_LEVEL": "DEVEL",
                "S3_REQUEST_ADDITIONAL_HEADERS": "- X-Header: value\n", "S3_DISABLE_100_CONTINUE": "true",
                "S3_USE_YC_SESSION_TOKEN": "false", "S3_RETENTION_PERIOD": "-1",
            ], facts: ["credentials: AWS_ACCESS_KEY (key …MPLE)"]),
        Case(
            name: "gs", prefix: "GS_PREFIX",
            variables: [
                "WALG_GS_PREFIX": "gs://x4m-test-bucket/walg-folder",
                "GOOGLE_APPLICATION_CREDENTIALS": "FOLDER/login.json", "GCS_CONTEXT_TIMEOUT": "3600",
                "GCS_NORMALIZE_PREFIX": "true", "GCS_MAX_CHUNK_SIZE": "52428800", "GCS_MAX_RETRIES": "16",
                "GCS_ENCRYPTION_KEY": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
            ],
            files: [
                "login.json":
                    #"{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}"#
            ],
            facts: [
                "location: gs://x4m-test-bucket/walg-folder", "credentials: come from a service",
                "GCS_NORMALIZE_PREFIX: has no effect",
            ]),
        Case(
            name: "azure: the account's key", prefix: "AZ_PREFIX",
            variables: [
                "WALG_AZ_PREFIX": "azure://test-container/walg-folder", "AZURE_STORAGE_ACCOUNT": "backups",
                "AZURE_STORAGE_ACCESS_KEY": "c2VjcmV0LXNlY3JldA==", "WALG_AZURE_BUFFER_SIZE": "33554432",
                "WALG_AZURE_MAX_BUFFERS": "5", "AZURE_TRY_TIMEOUT": "5",
            ], facts: ["location: azure://test-container/walg-folder", "credentials: AZURE_STORAGE_ACCESS_KEY"]),
        Case(
            name: "azure: a signature, in another cloud", prefix: "AZ_PREFIX",
            variables: [
                "WALG_AZ_PREFIX": "azure://test-container/walg-folder", "AZURE_STORAGE_ACCOUNT": "backups",
                "AZURE_STORAGE_SAS_TOKEN": "?sv=2020-08-04&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig=c2VjcmV0",
                "AZURE_ENVIRONMENT_NAME": "AzureUSGovernmentCloud",
            ], facts: ["usgovcloudapi.net", "credentials: AZURE_STORAGE_SAS_TOKEN"]),
        Case(
            name: "swift", prefix: "SWIFT_PREFIX",
            variables: [
                "WALG_SWIFT_PREFIX": "swift://test-container/walg-folder",
                "OS_AUTH_URL": "https://identity.example.org:5000/v3", "OS_USERNAME": "walg", "OS_PASSWORD": "secret",
                "OS_TENANT_NAME": "backups", "OS_REGION_NAME": "RegionOne",
            ], facts: ["location: swift://test-container/walg-folder", "credentials: come from a service"]),
        Case(
            name: "oss", prefix: "OSS_PREFIX",
            variables: [
                "WALG_OSS_PREFIX": "oss://bucket/walg-folder", "OSS_REGION": "cn-hangzhou",
                "OSS_ACCESS_KEY_ID": "LTAI5tEXAMPLE", "OSS_ACCESS_KEY_SECRET": "secret",
                "OSS_SESSION_TOKEN": "token", "OSS_ENDPOINT": "oss-cn-hangzhou.aliyuncs.com",
                "OSS_SKIP_VALIDATION": "true", "OSS_MAX_RETRIES": "5", "OSS_CONNECT_TIMEOUT": "5",
                "OSS_UPLOAD_PART_SIZE": "6291456", "OSS_COPY_PART_SIZE": "67108864",
            ], facts: ["location: oss://bucket/walg-folder", "credentials: OSS_ACCESS_KEY_ID"]),
        Case(
            name: "ssh", prefix: "SSH_PREFIX",
            variables: [
                "WALG_SSH_PREFIX": "ssh://localhost/walg-folder", "SSH_PORT": "22", "SSH_USERNAME": "walg",
                "SSH_PASSWORD": "secret",
            ], facts: ["location: ssh://localhost/walg-folder", "credentials: SSH_PASSWORD"]),
        Case(
            name: "file", prefix: "FILE_PREFIX", variables: ["WALG_FILE_PREFIX": "/tmp/walg_backup"],
            facts: ["location: file:///tmp/walg_backup"]),
    ]

    @Test("is taken as it is", arguments: cases)
    func check(_ one: Case) throws {
        let folder = NSTemporaryDirectory() + "zenith-walg-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder + "/.aws", withIntermediateDirectories: true)
        for (name, text) in one.files {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            chmod("\(folder)/\(name)", 0o600)
        }
        let given = one.variables.mapValues { $0.replacing("FOLDER", with: folder) }
        // The programs read no other variable of a storage.
        var environment: [String: String?] = [:]
        let known = Set(ObjectStores.variables.names)
        for name in ProcessInfo.processInfo.environment.keys
        where name.hasPrefix("ZENITH_") || Self.bareNames(name).contains(where: known.contains) {
            environment[name] = .some(nil)
        }
        environment["HOME"] = folder
        let result = try run(
            [
                ProgramTests.program("zenith"), "config", "check", "--offline", "-D", folder, "--storage-dest",
                one.prefix,
            ],
            environment: environment.merging(given.mapValues { $0 }) { $1 })
        #expect(result.status == 0, "\(result.output)\(result.error)")
        for fact in one.facts {
            #expect(result.output.contains(fact.replacing("FOLDER", with: folder)), "\(fact) in: \(result.output)")
        }
        #expect(!result.output.contains("may be meant"), "\(result.output)")
        for name in given.keys where name != "HOME" {
            #expect(Self.bareNames(name).contains(where: known.contains), "\(name) is not known")
        }
        #expect(!result.output.contains("wJalrXUtnFEMI") && !result.output.contains("MySecretKey32Bytes"))
    }

    private static func bareNames(_ name: String) -> [String] {
        [name] + ["WALG_", "WALE_"].filter(name.hasPrefix).map { String(name.dropFirst($0.count)) }
    }
}
