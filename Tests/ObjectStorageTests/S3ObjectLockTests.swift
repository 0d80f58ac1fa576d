import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// `S3_RETENTION_PERIOD`: what is written cannot be deleted for a while, or nothing is written at all.
@Suite("S3 object lock", .timeLimit(.minutes(10)))
struct S3ObjectLockTests {
    private func open(_ server: S3TestServer, bucket: String, _ more: [String: String]) throws -> S3ObjectStore {
        var variables = server.environment
        variables["S3_MAX_PART_SIZE"] = "5MiB"
        let location = StorageLocation(scheme: .s3, container: bucket, path: uniquePrefix())
        let store = try ObjectStores.open(
            location, environment: RoleEnvironment(variables.merging(more) { $1 }, role: nil))
        return try #require(store as? S3ObjectStore)
    }

    /// Those that know object lock.
    private static let services = S3TestService.allCases.filter { $0 != .swift }

    @Test("objects are locked for as long as told, also those in parts", arguments: services, [1000, 6 << 20])
    func locked(service: S3TestService, size: Int) async throws {
        let server = try await service.server
        let bucket = "locked-\(UInt64.random(in: 0 ... .max))"
        let maker = server.store(prefix: "", bucket: bucket)
        _ = try await maker.client.perform(
            S3Operation(method: "PUT", headers: [("x-amz-bucket-object-lock-enabled", "true")]))

        let store = try open(
            server, bucket: bucket, ["S3_RETENTION_PERIOD": "3600", "S3_RETENTION_MODE": "GOVERNANCE"])
        let bytes = testBytes(size)
        try await store.put("a", .bytes(bytes), mode: .createOnly)
        let head = try await store.headResponse("\(store.location.path)/a")
        #expect(head.headers["x-amz-object-lock-mode"] == "GOVERNANCE")
        let text = try #require(head.headers["x-amz-object-lock-retain-until-date"])
        let end = try #require(ServiceDate.iso8601(text)).timeIntervalSinceNow
        #expect(end > 3600 - 120 && end < 3600 + 120)
        let version = try #require(head.headers["x-amz-version-id"])
        let refused = await #expect(throws: ServiceFailure.self) {
            try await store.client.perform(
                S3Operation(method: "DELETE", key: "\(store.location.path)/a", query: [("versionId", version)]))
        }
        #expect(refused?.code == .denied, "\(refused?.detail ?? "")")

        // A deletion hides it; the key is free again.
        try await store.delete(["a"])
        #expect(try await store.exists("a") == false)
        try await store.put("a", .bytes([1]), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == [1])
        try await store.put("a", .bytes([2]), mode: .overwrite)
        #expect(try await store.get("a", range: nil) == [2])
    }

    @Test("where the bucket does not lock, nothing is written", arguments: S3TestService.allCases)
    func unlocked(service: S3TestService) async throws {
        let server = try await service.server
        let store = try open(server, bucket: server.bucket, ["S3_RETENTION_PERIOD": "60"])
        for size in [10, 6 << 20] {
            let failure = await expectFailure(.invalid) {
                try await store.put("a", .bytes(testBytes(size)), mode: .createOnly)
            }
            #expect(failure?.description.contains("the bucket does not lock objects") == true)
        }
        #expect(try await store.exists("a") == false)
        #expect(try await store.unfinishedUploads() == [])
    }
}
