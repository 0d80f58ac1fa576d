import Foundation
import StorageURI
import Testing

func settings(
    _ variables: [String: String], bucket: String = "bucket", role: StorageRole? = nil
) throws(SettingsError) -> S3Settings {
    try S3Settings(bucket: bucket, environment: RoleEnvironment(variables, role: role))
}

func faults(
    _ variables: [String: String], bucket: String = "bucket", role: StorageRole? = nil
) -> [SettingFault] {
    do throws(SettingsError) {
        _ = try settings(variables, bucket: bucket, role: role)
        return []
    } catch { return error.faults }
}

/// A directory for one test, with the files of Amazon's tools in it.
final class AWSHome {
    let path: String

    init(credentials: String? = nil, config: String? = nil) throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("zenith-aws-\(UUID().uuidString)")
        path = url.path
        try FileManager.default.createDirectory(
            at: url.appendingPathComponent(".aws"), withIntermediateDirectories: true)
        if let credentials { try write(credentials, to: ".aws/credentials") }
        if let config { try write(config, to: ".aws/config") }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        let url = URL(fileURLWithPath: "\(path)/\(name)")
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
        return "\(path)/\(name)"
    }
}

@Suite("settings of s3")
struct S3SettingsTests {
    @Test("the defaults are those of Amazon's service")
    func defaults() throws {
        let plain = try settings([:])
        #expect(plain.service == .amazon(dualStack: false) && plain.service.isAmazon)
        #expect(!plain.usesPathStyle && plain.region == nil && plain.encryption == nil && plain.origins.isEmpty)
        #expect(plain.partSizeBytes == 20 << 20 && plain.deleteBatchSize == 1000)
    }

    @Test(
        "bodies are signed wherever somebody could change them",
        arguments: [
            ([:], true), (["AWS_ENDPOINT_URL": "https://minio.example"], true),
            (["AWS_ENDPOINT_URL": "http://minio.example"], true),
            (["AWS_ENDPOINT_URL": "http://127.0.0.1:9000"], false),
            (["AWS_ENDPOINT_URL": "http://localhost:9000", "S3_SIGN_PAYLOAD": "true"], true),
            (["S3_SIGN_PAYLOAD": "false"], false),
        ])
    func signsPayload(variables: [String: String], isSigned: Bool) throws {
        #expect(try settings(variables).signsPayload == isSigned)
        let open = ["AWS_ENDPOINT_URL": "http://minio.example", "S3_SIGN_PAYLOAD": "false"]
        #expect(faults(open).map(\.variable) == ["S3_SIGN_PAYLOAD"])
    }

    @Test("each value is read, and where it came from is told")
    func everything() throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let authorities = try home.write("-----BEGIN CERTIFICATE-----", to: "ca.pem")
        let read = try settings(
            [
                "AWS_ENDPOINT": "minio.example:9000/base/", "AWS_DEFAULT_REGION": "eu-west-1",
                "WALG_S3_CA_CERT_FILE": authorities, "S3_MAX_PART_SIZE": "64MiB", "WALG_UPLOAD_CONCURRENCY": "7",
                "S3_STORAGE_CLASS": "STANDARD_IA", "S3_SSE": "aws:kms", "S3_SSE_KMS_ID": "key/1",
                "S3_REQUEST_ADDITIONAL_HEADERS": "x-a: 1\nX-B: two words", "S3_USE_LIST_OBJECTS_V1": "true",
                "S3_DELETE_BATCH_SIZE": "10", "S3_MAX_RETRIES": "0", "S3_MIN_THROTTLING_RETRY_DELAY": "100",
                "S3_MAX_THROTTLING_RETRY_DELAY": "1min", "S3_CONNECT_TIMEOUT": "500ms", "S3_STALL_TIMEOUT": "7",
                "S3_REQUEST_TIMEOUT": "2min", "S3_LOG_LEVEL": "DEVEL",
            ])
        #expect(read.service == .other(scheme: "https", authority: "minio.example:9000", path: "/base"))
        #expect(read.usesPathStyle && read.region == "eu-west-1" && read.common.certificateAuthorityFile == authorities)
        #expect(
            read.partSizeBytes == 64 << 20 && read.common.uploadConcurrency == 7 && read.storageClass == "STANDARD_IA")
        #expect(read.encryption == .service(algorithm: "aws:kms", keyID: "key/1"))
        #expect(read.additionalHeaders.map(\.name) == ["x-a", "X-B"])
        #expect(read.additionalHeaders.map(\.value) == ["1", "two words"])
        #expect(read.usesListObjectsV1 && read.deleteBatchSize == 10 && read.maximumRetries == 0)
        #expect(read.minimumThrottlingDelay == .milliseconds(100) && read.maximumThrottlingDelay == .seconds(60))
        #expect(read.connectTimeout == .milliseconds(500) && read.stallTimeout == .seconds(7))
        #expect(read.requestTimeout == .seconds(120))
        #expect(read.origins["AWS_ENDPOINT_URL_S3"] == "AWS_ENDPOINT")
        #expect(read.origins["S3_CA_CERT_FILE"] == "WALG_S3_CA_CERT_FILE")
    }

    @Test(
        "the nearest endpoint variable counts",
        arguments: [
            (["AWS_ENDPOINT_URL_S3": "http://a", "AWS_ENDPOINT_URL": "http://b", "AWS_ENDPOINT": "http://c"], "a"),
            (["AWS_ENDPOINT_URL": "http://b", "AWS_ENDPOINT": "http://c"], "b"),
            (["WALG_AWS_ENDPOINT": "http://c"], "c"),
            (["AWS_ENDPOINT_URL_S3": "http://a", "SNAPSHOT_AWS_ENDPOINT": "http://d"], "d"),
            (["AWS_ENDPOINT_URL_S3": "http://a", "STORAGE_AWS_ENDPOINT": "http://e"], "a"),
        ])
    func endpointOrder(variables: [String: String], host: String) throws {
        let read = try settings(variables, role: .snapshot)
        #expect(read.service == .other(scheme: "http", authority: host, path: ""))
    }

    @Test(
        "path style where a host name does not do",
        arguments: [
            ([:], "bucket", false), ([:], "my.bucket", true), ([:], "My_Bucket", true),
            (["AWS_ENDPOINT": "https://s3.amazonaws.com"], "bucket", false),
            (["AWS_ENDPOINT": "https://s3.eu-west-1.amazonaws.com"], "bucket", false),
            (["AWS_ENDPOINT": "http://127.0.0.1:9000"], "bucket", true),
            (["AWS_ENDPOINT": "http://127.0.0.1:9000", "AWS_S3_FORCE_PATH_STYLE": "false"], "bucket", false),
            (["AWS_S3_FORCE_PATH_STYLE": "TRUE"], "bucket", true),
            (["AWS_ENDPOINT": "https://amazonaws.com.evil.example"], "bucket", true),
        ])
    func pathStyle(variables: [String: String], bucket: String, expected: Bool) throws {
        #expect(try settings(variables, bucket: bucket).usesPathStyle == expected)
    }

    @Test("region and endpoint come from the profile where no variable says them")
    func profile() throws {
        let home = try AWSHome(
            config: """
                [default]
                region = eu-north-1
                [profile self hosted]
                [profile minio]
                region=local # the only one
                services = mine
                endpoint_url = http://wrong
                [services mine]
                s3 =
                  endpoint_url = http://minio:9000
                """)
        let plain = try settings(["HOME": home.path])
        #expect(plain.region == "eu-north-1" && plain.origins["AWS_REGION"] == "profile default")
        let minio = try settings(["HOME": home.path, "AWS_PROFILE": "minio"])
        #expect(minio.region == "local")
        #expect(minio.service == .other(scheme: "http", authority: "minio:9000", path: ""))
        #expect(try settings(["HOME": home.path, "AWS_PROFILE": "minio", "AWS_REGION": "x"]).region == "x")
        // Another identity's profile has no say.
        let own = ["HOME": home.path, "SNAPSHOT_AWS_ACCESS_KEY_ID": "k", "SNAPSHOT_AWS_SECRET_ACCESS_KEY": "s"]
        #expect(try settings(own, role: .snapshot).region == nil)
    }

    @Test("all faults are told at once, by the variable that holds them")
    func allFaults() {
        let found = faults(
            [
                "SNAPSHOT_AWS_ENDPOINT_URL": "ftp://x", "WALG_S3_MAX_PART_SIZE": "1MiB", "UPLOAD_CONCURRENCY": "many",
                "S3_SSE": "aws:kms", "S3_CA_CERT_FILE": "/nonexistent/ca.pem", "S3_MAX_RETRIES": "-1",
                "AWS_S3_FORCE_PATH_STYLE": "maybe", "AWS_REGION": "eu west", "SNAPSHOT_CREDENTIALS": "steal",
                "S3_STALL_TIMEOUT": "99999999999999999999", "S3_ENDPOINT_SOURCE": "ftp://x",
            ], role: .snapshot)
        #expect(
            found.map(\.variable).sorted() == [
                "AWS_REGION", "AWS_S3_FORCE_PATH_STYLE", "S3_CA_CERT_FILE", "S3_ENDPOINT_SOURCE", "S3_MAX_RETRIES",
                "S3_STALL_TIMEOUT", "SNAPSHOT_AWS_ENDPOINT_URL", "SNAPSHOT_CREDENTIALS", "SNAPSHOT_S3_SSE_KMS_ID",
                "UPLOAD_CONCURRENCY", "WALG_S3_MAX_PART_SIZE",
            ])
    }

    @Test(
        "what contradicts itself, or would break a request, is refused",
        arguments: [
            (["S3_SSE": "AES256", "S3_SSE_KMS_ID": "k"], "S3_SSE_KMS_ID"), (["S3_SSE_KMS_ID": "k"], "S3_SSE_KMS_ID"),
            (["S3_SSE": "rot13"], "S3_SSE"), (["S3_SSE_C": "c2hvcnQ="], "S3_SSE_C"),
            (["S3_RETENTION_PERIOD": "0"], "S3_RETENTION_PERIOD"), (["S3_RETENTION_MODE": "on"], "S3_RETENTION_MODE"),
            (["S3_RETENTION_PERIOD": "99999999999"], "S3_RETENTION_PERIOD"),
            (["S3_ENDPOINT_PORT": "0"], "S3_ENDPOINT_PORT"), (["S3_ENDPOINT_PROTOCOL": "ftp"], "S3_ENDPOINT_PROTOCOL"),
            (["S3_ENDPOINT_SOURCE": "http://a b"], "S3_ENDPOINT_SOURCE"),
            (["S3_STORAGE_CLASS": "A\nB"], "S3_STORAGE_CLASS"), (["S3_SSE": "AES256\nx: y"], "S3_SSE"),
            (["S3_REQUEST_ADDITIONAL_HEADERS": "Host: x"], "S3_REQUEST_ADDITIONAL_HEADERS"),
            (["S3_REQUEST_ADDITIONAL_HEADERS": "a b: x"], "S3_REQUEST_ADDITIONAL_HEADERS"),
            (["S3_REQUEST_ADDITIONAL_HEADERS": "{\"a\": 1}"], "S3_REQUEST_ADDITIONAL_HEADERS"),
            (["AWS_ENDPOINT": "http://"], "AWS_ENDPOINT"), (["AWS_ENDPOINT": "http://h:99999"], "AWS_ENDPOINT"),
            (["AWS_ENDPOINT": "http://h/?a=b"], "AWS_ENDPOINT"), (["AWS_ENDPOINT": "a b"], "AWS_ENDPOINT"),
            (["AWS_ENDPOINT": "http://minio", "AWS_DUAL_STACK": "true"], "AWS_DUAL_STACK"),
            (
                ["S3_MIN_THROTTLING_RETRY_DELAY": "5s", "S3_MAX_THROTTLING_RETRY_DELAY": "1s"],
                "S3_MAX_THROTTLING_RETRY_DELAY"
            ),
        ])
    func contradictions(variables: [String: String], variable: String) {
        #expect(faults(variables).map(\.variable) == [variable])
    }

    @Test("a key of our own is kept secret, and not sent in clear text")
    func customerKey() throws {
        let key = Data(repeating: 7, count: 32).base64EncodedString()
        let read = try settings(["S3_SSE_C": key])
        guard case .customer(let secret) = read.encryption else {
            Issue.record("no key")
            return
        }
        #expect(S3Settings.decodeKey(secret) == [UInt8](repeating: 7, count: 32))
        #expect(!String(reflecting: read).contains(key))
        #expect(faults(["S3_SSE_C": key, "AWS_ENDPOINT": "http://minio:9000"]).map(\.variable) == ["S3_SSE_C"])
        #expect(faults(["S3_SSE_C": key, "AWS_ENDPOINT": "http://127.0.0.1:9000"]).isEmpty)
        #expect(faults(["S3_SSE_C": key, "S3_SSE": "aws:kms", "S3_SSE_KMS_ID": "k"]).map(\.variable) == ["S3_SSE_C"])
        // As WAL-G takes it: the bytes themselves, beside the algorithm.
        let raw = "An32-byte-key-as-WAL-G-takes-it!"
        guard case .customer(let secret) = try settings(["S3_SSE_C": raw, "S3_SSE": "AES256"]).encryption else {
            Issue.record("no key")
            return
        }
        #expect(S3Settings.decodeKey(secret) == Array(raw.utf8))
        for fault in faults(["S3_SSE_C": key + "x", "AWS_ENDPOINT": "http://u:hunter2@minio"]) {
            #expect(!fault.description.contains(key) && !fault.description.contains("hunter2"))
        }
    }

    @Test("headers may be written as YAML has them")
    func headers() throws {
        for text in [
            "X-A: 1\nx-b: 'two: words'", "- X-A: \"1\"\n- \"x-b\": \"two: words\"\n",
            "{\"X-A\": \"1\", \"x-b\": \"two: words\"}",
        ] {
            let read = try settings(["S3_REQUEST_ADDITIONAL_HEADERS": text]).additionalHeaders
            #expect(read.map(\.name) == ["X-A", "x-b"] && read.map(\.value) == ["1", "two: words"], "\(text)")
        }
    }

    @Test("objects are locked for so long, where that is asked for")
    func retention() throws {
        #expect(try settings(["S3_RETENTION_PERIOD": "-1", "S3_RETENTION_MODE": "COMPLIANCE"]).retention == nil)
        let read = try settings(["WALG_S3_RETENTION_PERIOD": "86400"])
        #expect(read.retention == .init(mode: "GOVERNANCE", seconds: 86_400))
        #expect(
            try settings(["S3_RETENTION_PERIOD": "1", "S3_RETENTION_MODE": "COMPLIANCE"]).retention?.mode
                == "COMPLIANCE")
    }

    @Test("the host to connect to is as its source says")
    func nodes() throws {
        let read = try settings(
            [
                "S3_ENDPOINT_SOURCE": "http://nodes.example/pick?near=1", "AWS_ENDPOINT": "https://s3.example",
                "S3_ENDPOINT_PROTOCOL": "http", "S3_ENDPOINT_PORT": "8080",
            ])
        #expect(read.nodeSource == .init(url: "http://nodes.example/pick?near=1", port: 8080))
        #expect(read.service == .other(scheme: "http", authority: "s3.example", path: ""))
        #expect(try settings(["S3_ENDPOINT_SOURCE": "nodes.example"]).nodeSource?.port == 443)
        for (answer, address) in [
            ("10.0.0.7", "10.0.0.7:8080"), (" node-3.example\n", "node-3.example:8080"), ("fd00::7", "[fd00::7]:8080"),
            ("[fd00::7]", "[fd00::7]:8080"), ("", nil), ("a b", nil), ("node:9000", nil), ("<html>", nil),
            ("user@node", nil), (String(repeating: "a", count: 400), nil),
        ] { #expect(read.nodeSource?.address(answer: Array(answer.utf8)) == address, "\(answer)") }
    }

    @Test("secrets among the settings are not sent to a role's own endpoint, unless it is told to")
    func foreignSecrets() throws {
        let key = Data(repeating: 7, count: 32).base64EncodedString()
        var variables = ["S3_SSE_C": key, "S3_REQUEST_ADDITIONAL_HEADERS": "x-token: 1", "S3_MAX_RETRIES": "3"]
        #expect(try settings(variables, role: .snapshot).encryption != nil)
        variables["SNAPSHOT_AWS_ENDPOINT_URL"] = "https://elsewhere.example"
        let foreign = try settings(variables, role: .snapshot)
        #expect(foreign.encryption == nil && foreign.additionalHeaders.isEmpty && foreign.maximumRetries == 3)
        #expect(try settings(variables, role: .storage).encryption != nil)
        variables["SNAPSHOT_CREDENTIALS"] = "inherit"
        #expect(try settings(variables, role: .snapshot).encryption != nil)
        variables["SNAPSHOT_CREDENTIALS"] = nil
        variables["SNAPSHOT_S3_SSE_C"] = key
        #expect(try settings(variables, role: .snapshot).encryption != nil)
    }

    @Test("what counts, what has no effect, and what holds secrets is told")
    func inspection() throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let inspection = try S3Settings.inspect(
            bucket: "bucket",
            environment: RoleEnvironment(
                [
                    "HOME": home.path, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden",
                    "SNAPSHOT_AWS_REGION": "eu-west-1", "AWS_REGION": "us-east-1", "WALG_S3_LOG_LEVEL": "DEVEL",
                    "AWS_ENDPOINT": "minio.example:9000", "SNAPSHOT_CREDENTIALS": "inherit",
                ], role: .snapshot))
        #expect(
            inspection.variables.map { "\($0.name)=\($0.text ?? "-")" } == [
                "SNAPSHOT_CREDENTIALS=inherit", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=-",
                "AWS_ENDPOINT=minio.example:9000", "SNAPSHOT_AWS_REGION=eu-west-1",
            ])
        #expect(inspection.warnings.map(\.variable) == ["WALG_S3_LOG_LEVEL"])
        #expect(
            inspection.facts.map { "\($0.name): \($0.detail)" } == [
                "service: https://minio.example:9000 (AWS_ENDPOINT)", "region: eu-west-1 (SNAPSHOT_AWS_REGION)",
            ])
        #expect(inspection.secretFiles == ["\(home.path)/.aws/credentials"])
        #expect(throws: SettingsError.self) {
            try S3Settings.inspect(
                bucket: "bucket", environment: RoleEnvironment(["AWS_DUAL_STACK": "maybe"], role: nil))
        }
    }
}
