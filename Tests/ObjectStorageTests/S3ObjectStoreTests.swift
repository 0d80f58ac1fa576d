import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("S3", .timeLimit(.minutes(30)))
struct S3ObjectStoreTests {
    @Test("what was put is read back, whole and by range", arguments: S3TestService.allCases)
    func roundTrip(service: S3TestService) async throws {
        let store = try await service.server.store(prefix: uniquePrefix())
        let bytes = testBytes(100_000)
        let info = try await store.put("a/b", .bytes(bytes), mode: .overwrite)
        #expect(info.sizeBytes == bytes.count)
        #expect(try await store.head("a/b") == info)
        #expect(try await store.get("a/b", range: nil) == bytes)
        let edges = [0..<1, 99_999..<100_000, 5..<5, 10..<50_000, 99_990..<200_000, 0..<100_000]
        for range in edges {
            let expected = Array(bytes[range.clamped(to: 0..<bytes.count)])
            #expect(try await store.get("a/b", range: range) == expected, "\(range)")
        }
        #expect(try await store.get("a/b", range: 100_000..<100_001) == [])
        #expect(try await store.get("a/b", range: 300_000..<400_000) == [])

        try await store.put("empty", .bytes([]), mode: .overwrite)
        #expect(try await store.get("empty", range: nil) == [])
        #expect(try await store.get("empty", range: 0..<10) == [])
        try await store.delete(["a/b", "empty"])
        await #expect { try await store.head("a/b") } throws: { ($0 as? ObjectStoreError)?.code == .notFound }
        await #expect { try await store.get("a/b", range: 0..<1) } throws: {
            ($0 as? ObjectStoreError)?.code == .notFound
        }
    }

    @Test("an object larger than a part goes up in parts", arguments: S3TestService.allCases)
    func parts(service: S3TestService) async throws {
        let store = try await service.server.store(prefix: uniquePrefix())
        let bytes = testBytes(13 << 20)
        let info = try await store.put("large", .bytes(bytes), mode: .overwrite)
        #expect(info.sizeBytes == bytes.count)
        #expect(try await store.get("large", range: nil) == bytes)
        #expect(try await store.unfinishedUploads() == [])
    }
}
