import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// What every store does alike, done by real services.
@Suite("Swift does as every store", .timeLimit(.minutes(30)))
struct SwiftConformanceTests {
    @Test("OpenStack Swift conforms", arguments: ConformanceCase.all)
    func conforms(_ one: ConformanceCase) async throws {
        try await run(one, on: SwiftTestServer.openStack.store(prefix: uniquePrefix()))
    }

    @Test(
        "OpenStack Swift behind Keystone conforms", .enabled(if: TestSelection.allStorages),
        arguments: ConformanceCase.all)
    func conformsBehindKeystone(_ one: ConformanceCase) async throws {
        try await run(one, on: KeystoneTestServer.shared.store(prefix: uniquePrefix()))
    }

    private func run(_ one: ConformanceCase, on store: SwiftObjectStore) async throws {
        let target = ConformanceTarget(
            store: store, partBytes: store.client.options.segmentBytes,
            listedCount: TestSelection.allStorages ? 2500 : 120)
        try await one.run(target)
        try await store.expectNoStraySegments()
    }

    /// Swift does not decide between writers at the same moment; what is kept all the same: somebody wins, all are told
    /// one or the other, and what stays is of one who was told so.
    @Test("of writers at the same moment, the one whose object stays knows it", arguments: [10, 200_000, 3 << 20])
    func race(size: Int) async throws {
        let store = try await SwiftTestServer.openStack.store(prefix: uniquePrefix())
        #expect(!store.createsAtomically)
        let winners = try await withThrowingTaskGroup(of: UInt8?.self) { group in
            for writer in UInt8(0)..<16 {
                group.addTask {
                    let bytes = [UInt8](repeating: writer, count: size)
                    let code = try await errorCode { try await store.put("race", .bytes(bytes), mode: .createOnly) }
                    #expect(code == nil || code == .alreadyExists)
                    return code == nil ? writer : nil
                }
            }
            return try await group.reduce(into: [UInt8]()) { if let winner = $1 { $0.append(winner) } }
        }
        let kept = try await store.get("race")
        let first = try #require(kept.first)
        #expect(kept.count == size && winners.contains(first))
        #expect(kept.allSatisfy { $0 == first })
        try await store.expectNoStraySegments()
    }
}
