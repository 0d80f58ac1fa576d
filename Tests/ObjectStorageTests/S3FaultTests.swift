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

    /// The same store, but soon tired of waiting. Not for all tests: on a busy machine a real answer may take a while.
    private func impatient(_ store: S3ObjectStore, _ service: S3TestService, _ proxy: FaultProxy) async throws
        -> S3ObjectStore
    {
        var settings = HTTPTransportSettings()
        settings.stallTimeout = .seconds(2)
        return try await service.server.store(
            prefix: store.location.path, through: proxy, transport: HTTPTransport(settings: settings))
    }

    private func proxy(_ service: S3TestService) async throws -> FaultProxy {
        try await FaultProxy(to: service.server.authority)
    }

    @Test("an object is written once, with the bytes given", arguments: S3TestService.allCases)
    func put(service: S3TestService) async throws {
        let proxy = try await proxy(service)
        let store = try await store(service, proxy)
        let faults: [(String, Rule)] = [
            ("500", .internalError), ("500 after the work", .internalErrorAfterwards),
            ("slow down", .slowDown(retryAfter: 1)), ("reset", .resetRequest), ("answer lost", .loseAnswer),
            ("upload broken", .resetUpload(at: 60_000)), ("upload changed", .corruptUpload(at: 70_000)),
            ("stall", .stall(seconds: 20)),
        ]
        // The service's create-if-absent is known from here on.
        try await store.put("first", .bytes([1]), mode: .createOnly)
        #expect(store.createsAtomically)
        for (index, (name, fault)) in faults.enumerated() {
            let bytes = testBytes(100_000, seed: UInt64(index))
            let store = name == "stall" ? try await impatient(store, service, proxy) : store
            for mode in [PutMode.createOnly, .overwrite] {
                let key = ObjectKey("\(name)-\(mode)")
                try await proxy.set(fault.on("PUT"))
                let info = try await store.put(key, .bytes(bytes), mode: mode)
                #expect(try await proxy.counts() == [1], "\(key)")
                #expect(info.sizeBytes == bytes.count)
                #expect(try await store.get(key, range: nil) == bytes, "\(key)")
            }
        }
    }

    @Test("another's object is not taken for ours when an answer is lost", arguments: S3TestService.allCases)
    func foreignObject(service: S3TestService) async throws {
        let proxy = try await proxy(service)
        let store = try await store(service, proxy)
        let bytes = testBytes(1000)
        try await store.put("taken", .bytes(bytes), mode: .createOnly)
        try await proxy.set(.loseAnswer.on("PUT"))
        await expectFailure(.alreadyExists) { try await store.put("taken", .bytes(bytes), mode: .createOnly) }
    }

    @Test("an object is read whole and unchanged", arguments: S3TestService.allCases)
    func get(service: S3TestService) async throws {
        let proxy = try await proxy(service)
        let store = try await store(service, proxy)
        let bytes = testBytes(3 << 20)
        try await store.put("read", .bytes(bytes), mode: .overwrite)
        let faults: [(String, Rule)] = [
            ("500", .internalError), ("slow down", .slowDown(retryAfter: 1)), ("reset", .resetRequest),
            ("answer lost", .loseAnswer), ("broken at once", .resetDownload(at: 0)),
            ("broken", .resetDownload(at: 2_000_000)), ("ended early", .truncate(at: 1_000_000)),
            ("stall", .stall(seconds: 20)),
        ]
        for (name, fault) in faults {
            let store = name == "stall" ? try await impatient(store, service, proxy) : store
            for range in [nil, 1_000..<2_900_000] {
                try await proxy.set(fault.on("GET"))
                let expected = range.map { Array(bytes[$0]) } ?? bytes
                #expect(try await store.get("read", range: range) == expected, "\(name)")
                #expect(try await proxy.counts() == [1], "\(name)")
            }
        }
        // Broken again and again, as long as it moves on.
        try await proxy.set(.resetDownload(at: 400_000).on("GET", times: 7))
        #expect(try await store.get("read", range: nil) == bytes)
        // Only the object's digest can tell.
        try await proxy.set(.corrupt(at: 1_234_567).on("GET"))
        #expect(try await store.get("read", range: nil) == bytes)
        #expect(try await proxy.counts() == [1])
    }

    @Test("an object goes up in parts, and nothing else stays", arguments: S3TestService.allCases)
    func parts(service: S3TestService) async throws {
        let proxy = try await proxy(service)
        let store = try await store(service, proxy)
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
            #expect(try await store.get(key, range: nil) == bytes, "\(name)")
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

    @Test("listing and deleting are repeated", arguments: S3TestService.allCases)
    func listAndDelete(service: S3TestService) async throws {
        let proxy = try await proxy(service)
        let store = try await store(service, proxy)
        let faults: [(String, Rule)] = [
            ("500", .internalErrorAfterwards), ("reset", .resetRequest), ("answer lost", .loseAnswer),
            ("broken", .resetDownload(at: 40)), ("ended early", .truncate(at: 60)),
        ]
        let keys = (0..<3).map { ObjectKey("key-\($0)") }
        for (name, fault) in faults {
            for key in keys { try await store.put(key, .bytes([1, 2, 3]), mode: .overwrite) }
            try await proxy.set(fault.on("GET"), fault.on("POST", "delete="))
            let listed = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10).objects
            #expect(listed.map(\.key) == keys, "\(name)")
            try await store.delete(keys)
            #expect(try await proxy.counts() == [1, 1], "\(name)")
            #expect(try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10).objects == [], "\(name)")
        }
    }

    @Test("retries end, and say so")
    func givesUp() async throws {
        let proxy = try await proxy(.seaweed)
        let store = try await store(.seaweed, proxy)
        try await proxy.set(.internalError.on("GET", times: 100))
        let failure = await expectFailure(.unavailable) { try await store.get("any", range: nil) }
        #expect(failure?.description.contains("InternalError") == true)
        #expect(failure?.description.contains("after 5 tries") == true)
        try await proxy.set(.slowDown(retryAfter: 0).on("GET", times: 100))
        await expectFailure(.throttled) { try await store.get("any", range: nil) }
        #expect(try await proxy.counts() == [5])
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
