import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("clocks", .timeLimit(.minutes(10)))
struct ClockTests {
    @Test("the service's clock is known from its answers, and a difference is told", arguments: [0, 600, -600])
    func offset(seconds: Int) async throws {
        let memory = MemoryObjectStore()
        let store = SkewedStore(store: memory, clockOffset: .seconds(seconds))
        let clock = try #require(await StorageProbe.run(store).first { $0.step == .clock })
        #expect(clock.ok == (seconds == 0))
        if seconds != 0 {
            #expect(clock.detail.contains("600 s \(seconds > 0 ? "ahead of" : "behind") this machine's"))
        }
    }

    @Test("a real service's clock is this machine's, as it runs here")
    func realService() async throws {
        let store = try await S3TestServer.seaweed.store(prefix: uniquePrefix())
        #expect(store.clockOffset == nil)
        #expect(try await store.exists("none") == false)
        let offset = try #require(store.clockOffset)
        #expect(offset > .seconds(-60) && offset < .seconds(60))
        let facts = await StorageProbe.run(store)
        #expect(facts.contains { $0.step == .clock && $0.ok })
    }
}

private struct SkewedStore: ObjectStore {
    let store: MemoryObjectStore
    let clockOffset: Duration?
    var location: StorageLocation { store.location }
    var createsAtomically: Bool { store.createsAtomically }
    func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo { try await store.head(key) }
    func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        try await store.get(key, range: range)
    }
    func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await store.list(prefix: prefix, delimiter: delimiter, after: after, limit: limit)
    }
    func put(_ key: ObjectKey, _ body: ObjectBody, mode: PutMode) async throws(ObjectStoreError) -> ObjectInfo {
        try await store.put(key, body, mode: mode)
    }
    func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) { try await store.delete(keys) }
}
