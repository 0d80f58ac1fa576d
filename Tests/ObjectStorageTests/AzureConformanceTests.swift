import TestSupport
import Testing

@testable import ObjectStorage

/// What every store does alike. The scripted service shows that the requests fit together and are signed as Microsoft's own
/// library signs them; what Azure makes of them only Azure or its emulator can show.
@Suite("Azure does as every store", .timeLimit(.minutes(30)))
struct AzureConformanceTests {
    private static let partBytes = 4 << 20
    private static let listedCount = TestSelection.allStorages ? 2500 : 120

    @Test("conforms, on a scripted service", arguments: ConformanceCase.all)
    func scripted(one: ConformanceCase) async throws {
        let store = try await AzureScripted.shared.blobs.store(prefix: uniquePrefix())
        try await one.run(
            ConformanceTarget(store: store, partBytes: Self.partBytes, listedCount: Self.listedCount))
    }

    @Test("faults, before a scripted service", arguments: RemoteCase.all)
    func scriptedFaults(one: RemoteCase) async throws { try await one.run(AzureScripted.shared.blobs.remote) }

    @Test("conforms, on Azurite", .enabled(if: Azurite.isThere, Azurite.absence), arguments: ConformanceCase.all)
    func azurite(one: ConformanceCase) async throws {
        let store = try await Azurite.server.store(prefix: uniquePrefix())
        try await one.run(
            ConformanceTarget(store: store, partBytes: Self.partBytes, listedCount: Self.listedCount))
    }

    @Test("faults, before Azurite", .enabled(if: Azurite.isThere, Azurite.absence), arguments: RemoteCase.all)
    func azuriteFaults(one: RemoteCase) async throws { try await one.run(Azurite.server.remote) }
}
