import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// What stands between a client and a service: one that speaks TLS for it and offers HTTP/2, and a forward proxy.
@Suite("S3 through intermediaries", .enabled(if: TestSelection.allStorages), .timeLimit(.minutes(30)))
struct HTTPIntermediaryTests {
    private static let frontEnd = Task {
        let server = try await S3TestServer.seaweed
        return try await TestServer.start("nginx", ports: 1, others: [server.port])
    }
    private static let proxy = Task { try await TestServer.start("tinyproxy", ports: 1) }

    private func store(_ more: [String: String]) async throws -> any ObjectStore {
        let server = try await S3TestServer.seaweed
        let location = StorageLocation(scheme: .s3, container: server.bucket, path: uniquePrefix())
        let variables = server.environment.merging(["S3_MAX_PART_SIZE": "5MiB"]) { $1 }.merging(more) { $1 }
        return try ObjectStores.open(location, environment: RoleEnvironment(variables, role: nil))
    }

    private static let cases = ConformanceCase.contentCases + ConformanceCase.writingCases

    @Test("by a front end that offers HTTP/2 objects are as by the service itself", arguments: cases)
    private func frontEnd(one: ConformanceCase) async throws {
        let frontEnd = try await Self.frontEnd.value
        let store = try await store([
            "AWS_ENDPOINT_URL": "https://\(frontEnd.authority)", "S3_CA_CERT_FILE": frontEnd.values["CA"] ?? "",
        ])
        try await one.run(ConformanceTarget(store: store))
        let lines = try String(contentsOfFile: frontEnd.values["LOG"] ?? "", encoding: .utf8).split(separator: "\n")
        #expect(!lines.isEmpty)
        #expect(lines.allSatisfy { $0.hasPrefix("HTTP/1.1 ") })
    }

    private func proxyLog() async throws -> String {
        let proxy = try await Self.proxy.value
        return try String(contentsOfFile: proxy.values["LOG"] ?? "", encoding: .utf8)
    }

    private func requestCount() async throws -> Int {
        try await proxyLog().split(separator: "\n").count { $0.contains("Request (file descriptor") }
    }

    @Test("through a forward proxy objects are as without it", arguments: cases)
    private func forwardProxy(one: ConformanceCase) async throws {
        let before = try await requestCount()
        let store = try await store(["http_proxy": "http://\(Self.proxy.value.authority)"])
        try await one.run(ConformanceTarget(store: store))
        #expect(try await requestCount() > before)
    }

    @Test("TLS goes through the proxy as it is")
    func tunnel() async throws {
        let frontEnd = try await Self.frontEnd.value
        let store = try await store([
            "AWS_ENDPOINT_URL": "https://\(frontEnd.authority)", "S3_CA_CERT_FILE": frontEnd.values["CA"] ?? "",
            "HTTPS_PROXY": "http://\(Self.proxy.value.authority)",
        ])
        let bytes = testBytes(6 << 20)
        try await store.put("a", .bytes(bytes), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == bytes)
        #expect(try await proxyLog().contains("CONNECT \(frontEnd.authority)"))
    }

    @Test("hosts in no_proxy are reached without it, others are not")
    func exceptions() async throws {
        let away = "http://127.0.0.1:\(try TestServer.freePort())"
        let direct = try await store(["http_proxy": away, "no_proxy": "example.org,127.0.0.1"])
        try await direct.put("a", .bytes([1]), mode: .createOnly)
        #expect(try await direct.get("a", range: nil) == [1])
        for exceptions in ["example.org", ""] {
            let store = try await store(["http_proxy": away, "no_proxy": exceptions, "S3_MAX_RETRIES": "0"])
            await expectFailure(.unavailable) { try await store.get("a", range: nil) }
        }
    }
}
