import Foundation
import Testing

@testable import StorageURI

@Suite("settings of oss")
struct OSSSettingsTests {
    private func settings(_ variables: [String: String], bucket: String = "bucket") throws -> OSSSettings {
        try OSSSettings(bucket: bucket, environment: RoleEnvironment(variables, role: nil))
    }

    private func faults(_ variables: [String: String], role: StorageRole? = nil) -> String {
        do {
            _ = try OSSSettings(bucket: "bucket", environment: RoleEnvironment(variables, role: role))
            return ""
        } catch { return "\(error)" }
    }

    @Test("a region is all it takes")
    func defaults() throws {
        let plain = try settings(["WALG_OSS_REGION": "cn-hangzhou"])
        #expect(plain.endpoint.scheme == "https" && plain.endpoint.isEncrypted && plain.endpoint.isAlibaba)
        #expect(plain.endpoint.host(bucket: "bucket") == "bucket.oss-cn-hangzhou.aliyuncs.com")
        #expect(plain.endpoint.target(bucket: "bucket", key: "a b/ü+") == "/a%20b/%C3%BC%2B")
        #expect(plain.endpoint.target(bucket: "bucket", key: nil) == "/")
        #expect(plain.region == "cn-hangzhou" && !plain.usesV1 && plain.partSizeBytes == 20 << 20)
        // As the console shows it.
        #expect(try settings(["OSS_REGION": "oss-cn-hangzhou"]).region == "cn-hangzhou")
    }

    @Test(
        "endpoints tell their region, and how the bucket is named",
        arguments: [
            ("oss-cn-hangzhou.aliyuncs.com", "https", "bucket.oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
            (
                "http://oss-cn-hangzhou-internal.aliyuncs.com/", "http",
                "bucket.oss-cn-hangzhou-internal.aliyuncs.com", "cn-hangzhou"
            ),
            ("us-east-1.oss.aliyuncs.com", "https", "bucket.us-east-1.oss.aliyuncs.com", "us-east-1"),
            (
                "eu-central-1-internal.oss.aliyuncs.com", "https", "bucket.eu-central-1-internal.oss.aliyuncs.com",
                "eu-central-1"
            ),
            ("oss-accelerate.aliyuncs.com", "https", "bucket.oss-accelerate.aliyuncs.com", nil),
            ("oss-accelerate-overseas.aliyuncs.com", "https", "bucket.oss-accelerate-overseas.aliyuncs.com", nil),
            ("https://oss.example.com:443", "https", "bucket.oss.example.com", nil),
            ("http://127.0.0.1:9000", "http", "127.0.0.1:9000", nil),
            ("http://[::1]:80", "http", "[::1]", nil), ("http://localhost:1", "http", "localhost:1", nil),
            ("oss-cn-hangzhou.aliyuncs.com.evil.net", "https", "bucket.oss-cn-hangzhou.aliyuncs.com.evil.net", nil),
        ] as [(String, String, String, String?)])
    func endpoints(text: String, scheme: String, host: String, region: String?) throws {
        let read = try settings(["OSS_ENDPOINT": text])
        #expect(read.endpoint.scheme == scheme && read.endpoint.host(bucket: "bucket") == host)
        #expect(read.region == region && read.usesV1 == (region == nil))
        let path = host.hasPrefix("bucket.") ? "/k" : "/bucket/k"
        #expect(read.endpoint.target(bucket: "bucket", key: "k") == path)
        // What is said counts before what a name tells.
        let told = try settings(["OSS_ENDPOINT": text, "OSS_REGION": "cn-beijing"])
        #expect(told.region == "cn-beijing" && !told.usesV1)
    }

    @Test("addressing and signature can be chosen")
    func choices() throws {
        let endpoint = ["OSS_ENDPOINT": "https://files.example.com"]
        let cname = try settings(endpoint.merging(["OSS_ADDRESSING_STYLE": "cname", "OSS_REGION": "r-1"]) { $1 })
        #expect(cname.endpoint.host(bucket: "bucket") == "files.example.com" && !cname.usesV1)
        #expect(cname.endpoint.target(bucket: "bucket", key: "k") == "/k")
        let path = try settings(endpoint.merging(["OSS_ADDRESSING_STYLE": "PATH"]) { $1 })
        #expect(path.endpoint.target(bucket: "bucket", key: nil) == "/bucket/")
        let old = try settings(["OSS_REGION": "cn-hangzhou", "OSS_SIGNATURE_VERSION": "V1"])
        #expect(old.usesV1 && old.region == "cn-hangzhou")
    }

    @Test("every fault is told at once, by the variable at fault")
    func faulty() {
        #expect(faults([:]).contains("OSS_REGION: is not set"))
        #expect(faults([:], role: .snapshot).contains("SNAPSHOT_OSS_REGION: is not set"))
        let all = faults([
            "OSS_REGION": "cn/hangzhou", "OSS_ENDPOINT": "ftp://x", "OSS_ADDRESSING_STYLE": "dns",
            "OSS_SIGNATURE_VERSION": "v2", "OSS_UPLOAD_PART_SIZE": "1", "OSS_STORAGE_CLASS": "a b",
            "OSS_MAX_RETRIES": "-1", "OSS_CONNECT_TIMEOUT": "soon",
        ])
        for part in [
            "OSS_REGION: is not the name", "OSS_ENDPOINT: begins with", "OSS_ADDRESSING_STYLE: is “dns”",
            "OSS_SIGNATURE_VERSION: is “v2”", "OSS_UPLOAD_PART_SIZE: is 1", "OSS_STORAGE_CLASS: is not",
            "OSS_MAX_RETRIES: is -1", "OSS_CONNECT_TIMEOUT: is not",
        ] { #expect(all.contains(part), "\(all)") }
        let region = ["OSS_REGION": "cn-hangzhou"]
        func with(_ name: String, _ value: String) -> String { faults(region.merging([name: value]) { $1 }) }
        #expect(with("OSS_ENDPOINT", "https://oss.example.com/base").contains("has a path"))
        #expect(with("OSS_ENDPOINT", "bucket.oss-cn-hangzhou.aliyuncs.com").contains("leave it out"))
        #expect(with("OSS_ADDRESSING_STYLE", "cname").contains("OSS_ENDPOINT: is not set"))
        #expect(
            faults(["OSS_ENDPOINT": "https://oss.example.com", "OSS_SIGNATURE_VERSION": "v4"])
                .contains("OSS_REGION: is not set"))
    }

    @Test("only Alibaba Cloud's hosts are sent to one another")
    func moved() throws {
        let own = OSSEndpoint(region: "cn-hangzhou")
        let moved = try #require(own.moved(to: "OSS-cn-beijing.aliyuncs.com"))
        #expect(moved.endpoint.host(bucket: "b") == "b.oss-cn-beijing.aliyuncs.com" && moved.region == "cn-beijing")
        #expect(moved.endpoint.scheme == "https")
        for host in [
            "oss-cn-hangzhou.aliyuncs.com", "evil.net", "oss-cn-beijing.aliyuncs.com.evil.net",
            "evil.net/.aliyuncs.com",
            "x@oss-cn-beijing.aliyuncs.com", "", "oss-accelerate.aliyuncs.com",
        ] { #expect(own.moved(to: host) == nil, "\(host)") }
        let other = OSSEndpoint(scheme: "https", authority: "oss.example.com", style: .virtual)
        #expect(other.moved(to: "oss-cn-beijing.aliyuncs.com") == nil)
    }

    @Test("the environment of a WAL-G user is inspected as it is")
    func walg() throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let variables = [
            "WALG_OSS_PREFIX": "oss://bucket/path", "OSS_ACCESS_KEY_ID": "LTAI", "OSS_ACCESS_KEY_SECRET": "hunter2",
            "OSS_SESSION_TOKEN": "token", "OSS_REGION": "cn-hangzhou",
            "OSS_ENDPOINT": "https://oss-cn-hangzhou.aliyuncs.com",
            "OSS_ROLE_ARN": "acs:ram::1:role/r", "OSS_ROLE_SESSION_NAME": "walg", "OSS_SKIP_VALIDATION": "true",
            "OSS_MAX_RETRIES": "5", "OSS_CONNECT_TIMEOUT": "5", "OSS_UPLOAD_PART_SIZE": "6291456",
            "OSS_COPY_PART_SIZE": "67108864", "UPLOAD_CONCURRENCY": "16", "HOME": home.path,
        ]
        let environment = RoleEnvironment(variables, role: .storage)
        let settings = try OSSSettings(bucket: "bucket", environment: environment)
        #expect(settings.partSizeBytes == 6 << 20 && settings.maximumRetries == 5)
        #expect(settings.connectTimeout == .seconds(5) && settings.common.uploadConcurrency == 16)
        let inspection = try OSSSettings.inspect(bucket: "bucket", environment: environment)
        #expect(inspection.warnings.map(\.variable) == ["OSS_SKIP_VALIDATION", "OSS_COPY_PART_SIZE"])
        #expect(
            inspection.facts.map(\.detail) == [
                "https://oss-cn-hangzhou.aliyuncs.com (OSS_ENDPOINT)", "cn-hangzhou (OSS_REGION)",
            ])
        #expect(!inspection.variables.contains { $0.text == "hunter2" || $0.text == "token" })
        #expect(inspection.variables.contains { $0.name == "OSS_ACCESS_KEY_SECRET" })
        #expect(
            inspection.secretFiles == [
                "\(home.path)/.aliyun/config.json", "\(home.path)/.alibabacloud/credentials.ini",
            ])
        // Without a region the older signature does.
        let old = try OSSSettings.inspect(
            bucket: "bucket", environment: RoleEnvironment(["OSS_ENDPOINT": "oss.example.com"], role: nil))
        #expect(old.facts.map(\.name) == ["service", "signature"])
    }
}
