import TestSupport
import Testing

@testable import ObjectStorage

/// What every store does alike. The service is scripted (see `scripts/ossscripted.py`): this shows what the store does,
/// and that the vendor's own client computes the same signatures, not how OSS behaves.
@Suite("OSS does as every store (scripted service)", .timeLimit(.minutes(30)))
struct OSSConformanceTests {
    @Test("conforms", arguments: OSSSignatureVersion.allCases, ConformanceCase.all)
    func conforms(version: OSSSignatureVersion, one: ConformanceCase) async throws {
        let store = try await OSSTestServer.shared.store(prefix: uniquePrefix()) { version.apply(&$0) }
        let count = TestSelection.allStorages ? 2500 : 120
        try await one.run(ConformanceTarget(store: store, partBytes: 1 << 20, listedCount: count))
        #expect(try await store.unfinishedUploads() == [])
    }

    @Test("does as every remote storage", arguments: OSSSignatureVersion.allCases, RemoteCase.all)
    func remote(version: OSSSignatureVersion, one: RemoteCase) async throws {
        let server = try await OSSTestServer.shared
        try await one.run(
            RemoteTarget(
                authority: server.authority, write: .init(method: "PUT"),
                delete: .init(method: "POST", target: "[?&]delete")
            ) { authority, prefix, identity, stallTimeout in
                var settings = HTTPTransportSettings()
                if let stallTimeout { settings.stallTimeout = stallTimeout }
                return server.store(
                    prefix: prefix, at: authority, transport: HTTPTransport(settings: settings),
                    keys: identity == .good ? nil : FixedAlibabaCredentials(server.accessKeyID, "wrong")
                ) {
                    $0.partSizeBytes = 8 << 20
                    version.apply(&$0)
                }
            })
    }
}
