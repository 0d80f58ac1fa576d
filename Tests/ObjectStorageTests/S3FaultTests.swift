import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// What a network and a service do wrong, done by a proxy before a real service: the work is done all the same, once,
/// and nothing is left behind.
@Suite("S3 with faults", .timeLimit(.minutes(30)))
struct S3FaultTests {
    private typealias Rule = FaultProxy.Rule
    private static let partBytes = 5 << 20

    private func store(_ service: S3TestService, _ proxy: FaultProxy, _ name: String = #function) async throws
        -> S3ObjectStore
    {
        try await service.server.store(prefix: uniquePrefix(name), through: proxy)
    }

    private func proxy(_ service: S3TestService) async throws -> FaultProxy {
        try await FaultProxy(to: service.server.authority)
    }

    @Test("does as every remote storage", arguments: S3TestService.allCases, RemoteCase.all)
    func remote(service: S3TestService, one: RemoteCase) async throws {
        try await remote(service, one, signsPayload: true)
    }

    @Test("the same with bodies that are not signed", arguments: S3TestService.allCases, RemoteCase.all.prefix(3))
    func unsigned(service: S3TestService, one: RemoteCase) async throws {
        try await remote(service, one, signsPayload: false)
    }

    private func remote(_ service: S3TestService, _ one: RemoteCase, signsPayload: Bool) async throws {
        let server = try await service.server
        try await one.run(
            RemoteTarget(
                authority: server.authority, write: .init(method: "PUT"),
                delete: .init(method: "POST", target: "delete=")
            ) { authority, prefix, identity, stallTimeout in
                var settings = HTTPTransportSettings()
                if let stallTimeout { settings.stallTimeout = stallTimeout }
                return server.store(
                    prefix: prefix, at: authority, transport: HTTPTransport(settings: settings),
                    keys: identity == .good ? nil : FixedCredentials(server.accessKeyID, "wrong")
                ) { $0.signsPayload = signsPayload }
            })
    }

    @Test(
        "an object goes up in parts, and nothing else stays", arguments: S3TestService.allCases, [true, false])
    func parts(service: S3TestService, signsPayload: Bool) async throws {
        let proxy = try await proxy(service)
        let store = try await service.server.store(prefix: uniquePrefix(), through: proxy) {
            $0.signsPayload = signsPayload
        }
        let bytes = testBytes(2 * Self.partBytes + 12_345)
        let (begin, part, join) = ("uploads=", "partNumber=2", "[?]uploadId=")
        let rules: [(String, [Rule])] = [
            ("the beginning", [.loseAnswer.on("POST", begin)]),
            (
                "everywhere",
                [
                    .internalErrorAfterwards.on("POST", begin), .resetUpload(at: 3_000_000).on("PUT", part),
                    .loseAnswer.on("PUT", "partNumber=3"), .loseAnswer.on("POST", join),
                ]
            ),
            (
                "parts",
                [.corruptUpload(at: 4_000_000).on("PUT", part), .slowDown(retryAfter: 1).on("PUT", "partNumber=1")]
            ),
            ("an error in the answer of 200", [.answer(200, "InternalError").on("POST", join)]),
            ("the same, after the work", [.internalErrorAfterwards.on("POST", join)]),
        ]
        for (name, rules) in rules {
            let key = ObjectKey(name)
            try await proxy.set(rules)
            try await store.put(key, .bytes(bytes), mode: .createOnly)
            #expect(try await proxy.counts() == rules.map { _ in 1 }, "\(name)")
            try await proxy.set([])
            #expect(same(try await store.get(key, range: nil), bytes), "\(name)")
            #expect(try await store.unfinishedUploads() == [], "\(name)")
        }
        await expectFailure(.alreadyExists) {
            try await store.put("parts", .bytes(bytes), mode: .createOnly)
        }
        #expect(try await store.unfinishedUploads() == [])
    }

    @Test("an upload that fails leaves no parts", arguments: S3TestService.allCases)
    func abandoned(service: S3TestService) async throws {
        let proxy = try await proxy(service)
        let store = try await store(service, proxy)
        let bytes = testBytes(3 * Self.partBytes)
        try await proxy.set(.answer(403, "AccessDenied").on("PUT", "partNumber=2"))
        await expectFailure(.denied) { try await store.put("denied", .bytes(bytes), mode: .overwrite) }
        #expect(try await store.unfinishedUploads() == [])

        struct ReadFailed: Error {}
        let pieces = AsyncThrowingStream<[UInt8], any Error> { continuation in
            continuation.yield(bytes)
            continuation.finish(throwing: ReadFailed())
        }
        await expectFailure(.invalid) { try await store.put("half", .stream(pieces), mode: .overwrite) }
        #expect(try await store.unfinishedUploads() == [])
        #expect(try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10).objects == [])
    }
}

/// Runs what must fail in this way, and gives the failure.
@discardableResult
func expectFailure<Value>(
    _ code: ObjectStoreError.Code, sourceLocation: SourceLocation = #_sourceLocation,
    _ work: () async throws -> Value
) async -> ObjectStoreError? {
    do {
        _ = try await work()
        Issue.record("it did not fail", sourceLocation: sourceLocation)
        return nil
    } catch {
        let failure = error as? ObjectStoreError
        #expect(failure?.code == code, "\(error)", sourceLocation: sourceLocation)
        return failure
    }
}
