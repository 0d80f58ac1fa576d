import Foundation
import TestSupport
import Testing

/// `zenith` with the environment of a WAL-G user of OSS. The service is scripted; it is reached by the hosts' real names,
/// as a proxy.
@Suite("OSS through the program", .timeLimit(.minutes(10)))
struct OSSProgramTests {
    @Test("config check takes WAL-G's variables as they are")
    func check() async throws {
        let server = try await TestServer.start("ossscripted", ports: 2)
        let walg = [
            "WALG_OSS_PREFIX": "oss://zenith-test/walg-\(UUID().uuidString)", "OSS_ACCESS_KEY_ID": "zenithkey",
            "OSS_ACCESS_KEY_SECRET": "zenithsecret", "OSS_REGION": "cn-hangzhou",
            "OSS_ENDPOINT": "http://oss-cn-hangzhou.aliyuncs.com", "OSS_SKIP_VALIDATION": "false",
            "OSS_MAX_RETRIES": "5", "OSS_CONNECT_TIMEOUT": "5", "OSS_UPLOAD_PART_SIZE": "6291456",
            "OSS_COPY_PART_SIZE": "67108864", "WALG_COMPRESSION_METHOD": "lz4", "WALG_UPLOAD_CONCURRENCY": "16",
        ]
        func check(_ changes: [String: String], _ arguments: String...) throws -> ShellResult {
            var variables: [String: String?] = [:]
            for name in ProcessInfo.processInfo.environment.keys where name.hasPrefix("ZENITH_") {
                variables[name] = .some(nil)
            }
            variables["HOME"] = "/nonexistent"
            variables["http_proxy"] = "http://\(server.authority)"
            variables.merge(walg.merging(changes) { $1 }.mapValues { $0 }) { $1 }
            return try run(
                [
                    ProgramTests.program("zenith"), "config", "check", "-D", "/nonexistent", "--storage-dest",
                    "OSS_PREFIX",
                ]
                    + arguments, environment: variables)
        }
        let good = try check([:])
        #expect(good.status == 0, "\(good.output)\(good.error)")
        for part in [
            "service: http://oss-cn-hangzhou.aliyuncs.com (OSS_ENDPOINT)", "region: cn-hangzhou (OSS_REGION)",
            "OSS_ACCESS_KEY_ID (key …hkey)", "OSS_COPY_PART_SIZE: has no effect",
        ] { #expect(good.output.contains(part), "\(good.output)") }
        #expect(!good.output.contains("zenithsecret") && !good.output.contains("misspel"))
        let wrong = try check(["OSS_ACCESS_KEY_SECRET": "wrong-secret"])
        #expect(wrong.status == 77 && wrong.output.contains("SignatureDoesNotMatch"), "\(wrong.output)")
        #expect(!wrong.output.contains("wrong-secret"))
        // Versions take the condition's effect away.
        let versions = try check(["WALG_OSS_PREFIX": "oss://zenith-test-versions/walg-\(UUID().uuidString)"])
        #expect(versions.output.contains("checked before writing"), "\(versions.output)")
        let offline = try check(["OSS_REGION": ""], "--offline")
        #expect(offline.status == 0, "\(offline.output)")
    }
}
