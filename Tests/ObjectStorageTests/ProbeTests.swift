import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("storage probe and registry", .timeLimit(.minutes(30)))
struct ProbeTests {
    static let names = ["write", "create-if-absent", "ranged read", "list", "large object", "delete"]

    @Test("a storage that can do all is found to, and left as it was")
    func sound() async throws {
        let directory = try TemporaryDirectory()
        for store: any ObjectStore in [FileObjectStore(root: directory.path + "/root"), MemoryObjectStore()] {
            for isThorough in [false, true] {
                let facts = await StorageProbe.run(store, isThorough: isThorough)
                #expect(facts.map(\.name) == Self.names.filter { isThorough || $0 != "large object" })
                #expect(facts.filter { !$0.ok }.map(\.detail) == [])
                #expect(try await store.isEmpty())
            }
        }
    }

    @Test(
        "each thing that fails is named",
        arguments: [
            (FaultInjectingStore.Fault(.refused(.denied), .put), ["write"], ObjectStoreError.Code.denied),
            (.init(.refused(.denied), .put, nth: 2), ["create-if-absent"], .denied),
            (.init(.refused(.denied), .get), ["ranged read"], .denied),
            (.init(.refused(.denied), .list), ["list"], .denied),
            (.init(.refused(.denied), .delete), ["delete"], .denied),
            (.init(.flippedBit, .get), ["ranged read"], nil),
            (.init(.truncated, .get), ["ranged read"], nil),
            (.init(.lostAnswer, .put), ["write"], .unavailable),
        ] as [(FaultInjectingStore.Fault, [String], ObjectStoreError.Code?)])
    func faults(fault: FaultInjectingStore.Fault, failed: [String], code: ObjectStoreError.Code?) async throws {
        let memory = MemoryObjectStore()
        let facts = await StorageProbe.run(FaultInjectingStore(memory, faults: [fault]))
        let bad = facts.filter { !$0.ok }
        #expect(bad.map(\.name) == failed)
        #expect(bad.first?.error?.code == code)
        if fault.operation != .delete { #expect(memory.keys == []) }
    }

    @Test("a storage that overwrites in spite of create-if-absent is found out")
    func overwriting() async throws {
        let memory = MemoryObjectStore()
        let facts = await StorageProbe.run(OverwritingStore(store: memory))
        #expect(facts.filter { !$0.ok }.map(\.name) == ["create-if-absent"])
        #expect(memory.keys == [])
    }

    @Test("a probe that is cancelled leaves nothing")
    func cancelled() async throws {
        let memory = MemoryObjectStore()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await StorageProbe.run(memory)
        }
        #expect(await task.value.contains { !$0.ok })
        #expect(memory.keys == [])
    }

    @Test("a location opens as the store of its scheme; others are refused by name")
    func registry() async throws {
        let directory = try TemporaryDirectory()
        let environment = RoleEnvironment([:], role: nil)
        let location = StorageLocation(scheme: .file, container: "", path: directory.path)
        let store = try ObjectStores.open(location, environment: environment)
        #expect(store.location == location)
        try await store.put("a", .bytes([1]), mode: .createOnly)
        let readOnly = try ObjectStores.openReadOnly(location, environment: environment)
        #expect(try await readOnly.get("a") == [1])
        #expect(!((readOnly as any ReadableStore) is any ObjectStore))
        for scheme in StorageScheme.allCases { #expect(ObjectStores.backend(scheme).scheme == scheme) }
    }

    @Test("a crash before or after an operation, and a lost answer, are as told")
    func faultStore() async throws {
        let memory = MemoryObjectStore()
        let store = FaultInjectingStore(memory)
        store.add(.init(.lostAnswer, .put, keyContains: "b"))
        try await store.put("a", .bytes([1]), mode: .overwrite)
        #expect(try await errorCode { try await store.put("b", .bytes([1]), mode: .overwrite) } == .unavailable)
        #expect(memory.keys == ["a", "b"])
        store.add(.init(.crashBefore, .put))
        #expect(try await errorCode { try await store.put("c", .bytes([1]), mode: .overwrite) } == .unavailable)
        #expect(try await errorCode { _ = try await store.get("a") } == .unavailable)
        #expect(memory.keys == ["a", "b"] && store.hasCrashed)
        store.recover()
        store.add(.init(.crashAfter, .delete))
        #expect(try await errorCode { try await store.delete(["a"]) } == .unavailable)
        #expect(try await errorCode { _ = try await store.head("b") } == .unavailable)
        #expect(memory.keys == ["b"])
    }
}

/// As services were before they knew conditions: it takes them, and does not heed them.
private struct OverwritingStore: ObjectStore {
    let store: MemoryObjectStore
    var location: StorageLocation { store.location }
    var createsAtomically: Bool { false }
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
        try await store.put(key, body, mode: .overwrite)
    }
    func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) { try await store.delete(keys) }
}
