import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("copies between storages", .timeLimit(.minutes(10)))
struct ObjectCopyTests {
    private static let sizes = [0, 1, 4 << 20, (4 << 20) + 1, 13_000_000]

    private func filled() async throws -> MemoryObjectStore {
        let store = MemoryObjectStore()
        for (index, size) in Self.sizes.enumerated() {
            try await store.put(
                ObjectKey("d\(index % 2)/o\(index)"), .bytes(testBytes(size, seed: UInt64(index))), mode: .createOnly)
        }
        return store
    }

    private func expectSame(_ a: any ReadableStore, _ b: any ReadableStore) async throws {
        let keys = try await a.list(prefix: "", delimiter: nil, after: nil, limit: 100).objects.map(\.key)
        #expect(try await b.list(prefix: "", delimiter: nil, after: nil, limit: 100).objects.map(\.key) == keys)
        for key in keys { #expect(try await a.get(key) == b.get(key), "\(key)") }
    }

    @Test("all objects are there, byte for byte, and each byte is counted once")
    func copies() async throws {
        let source = try await filled()
        let directory = try TemporaryDirectory()
        let files = FileObjectStore(root: directory.path + "/copy", isDurable: false)
        let counted = Atomic<Int>(0)
        let down = ObjectCopy(from: source, to: files, mode: .createOnly) { counted.add($0, ordering: .relaxed) }
        let totals = ObjectCopy.Totals(objectCount: Self.sizes.count, byteCount: Self.sizes.reduce(0, +))
        #expect(try await down.copyAll() == totals)
        #expect(counted.load(ordering: .relaxed) == totals.byteCount)
        try await expectSame(source, files)
        let again = MemoryObjectStore()
        #expect(try await ObjectCopy(from: files, to: again, mode: .createOnly).copyAll() == totals)
        try await expectSame(source, again)
        #expect(try await ObjectCopy(from: source, to: again, mode: .overwrite).copyAll(prefix: "d0/").objectCount == 3)
    }

    @Test("more objects than go at once")
    func many() async throws {
        let source = MemoryObjectStore()
        for index in 0..<300 {
            try await source.put(ObjectKey("o\(index)"), .bytes(testBytes(index)), mode: .createOnly)
        }
        let target = MemoryObjectStore()
        #expect(try await ObjectCopy(from: source, to: target, mode: .createOnly).copyAll().objectCount == 300)
        try await expectSame(source, target)
    }

    @Test("what is there already ends a copy, unless it is to be overwritten")
    func taken() async throws {
        let source = try await filled()
        let target = MemoryObjectStore()
        try await target.put("d0/o0", .bytes([9]), mode: .createOnly)
        await expectFailure(.alreadyExists) {
            try await ObjectCopy(from: source, to: target, mode: .createOnly).copyAll()
        }
        #expect(try await target.get("d0/o0") == [9])
        _ = try await ObjectCopy(from: source, to: target, mode: .overwrite).copyAll()
        try await expectSame(source, target)
    }

    @Test("an object that gets shorter while it is copied is not taken for whole")
    func shortened() async throws {
        let source = MemoryObjectStore()
        try await source.put("o", .bytes(testBytes(9 << 20)), mode: .createOnly)
        let object = try await source.head("o")
        try await source.put("o", .bytes(testBytes(6 << 20)), mode: .overwrite)
        let target = MemoryObjectStore()
        await expectFailure(.corrupt) {
            try await ObjectCopy(from: source, to: target, mode: .createOnly).copy(object, to: "o")
        }
        #expect(try await target.isEmpty())
    }

    @Test("keys that no file can have do not leave the directory")
    func escaping() async throws {
        let directory = try TemporaryDirectory()
        for key in ["../out", "a/../../out", "/etc/out", "a//b"] {
            let source = MemoryObjectStore()
            try await source.put(ObjectKey(key), .bytes([1]), mode: .createOnly)
            let files = FileObjectStore(root: directory.path + "/copy", isDurable: false)
            await expectFailure(.invalid) {
                try await ObjectCopy(from: source, to: files, mode: .overwrite).copyAll()
            }
        }
        let left = FileManager.default.subpaths(atPath: directory.path) ?? []
        #expect(left.allSatisfy { $0.hasPrefix("copy") })
    }
}
