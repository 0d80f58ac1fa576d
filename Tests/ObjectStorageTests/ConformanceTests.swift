import Foundation
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("every store does alike", .timeLimit(.minutes(30)))
struct ConformanceTests {
    @Test("file", arguments: ConformanceCase.all, [true, false])
    func file(one: ConformanceCase, resolvesBeneath: Bool) async throws {
        let directory = try TemporaryDirectory()
        let store = FileObjectStore(
            root: directory.path + "/a/root", location: nil,
            resolvesBeneath: resolvesBeneath && FileTree.kernelResolvesBeneath)
        try await one.run(ConformanceTarget(store: store, takesEmptySegments: false))
        let left = FileManager.default.enumerator(atPath: directory.path)?.allObjects as? [String] ?? []
        #expect(left.filter { $0.contains(FileKey.temporaryPrefix) } == [])
    }

    @Test("memory", arguments: ConformanceCase.all)
    func memory(one: ConformanceCase) async throws {
        try await one.run(ConformanceTarget(store: MemoryObjectStore(), partBytes: 1 << 20))
    }

    @Test("a fault-injecting store without faults", arguments: ConformanceCase.all)
    func faultless(one: ConformanceCase) async throws {
        try await one.run(ConformanceTarget(store: FaultInjectingStore(MemoryObjectStore()), partBytes: 1 << 20))
    }
}
