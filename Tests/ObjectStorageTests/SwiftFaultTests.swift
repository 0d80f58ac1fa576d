import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// What a network and a service do wrong, done by a proxy before a real service.
@Suite("Swift with faults", .timeLimit(.minutes(30)))
struct SwiftFaultTests {
    private typealias Rule = FaultProxy.Rule
    private static let segmentBytes = SwiftOptions.testing.segmentBytes

    @Test("does as every remote storage", arguments: RemoteCase.all)
    func remote(_ one: RemoteCase) async throws {
        let server = try await SwiftTestServer.openStack
        try await one.run(
            RemoteTarget(
                authority: server.authority, write: .init(method: "PUT"),
                delete: .init(method: "POST", target: "bulk-delete")
            ) { authority, prefix, identity, stallTimeout in
                var settings = HTTPTransportSettings()
                if let stallTimeout { settings.stallTimeout = stallTimeout }
                return server.store(
                    prefix: prefix, at: authority, transport: HTTPTransport(settings: settings),
                    variables: identity == .good ? [:] : ["ST_KEY": "wrong"]
                ) { $0.wholeBytes = 8 << 20 }
            })
    }

    private func store(_ name: String = #function) async throws -> (SwiftObjectStore, FaultProxy) {
        let server = try await SwiftTestServer.openStack
        let proxy = try await FaultProxy(to: server.authority)
        return (server.store(prefix: uniquePrefix(name), at: proxy.authority), proxy)
    }

    @Test("an object goes up in segments, and nothing else stays")
    func segments() async throws {
        let (store, proxy) = try await store()
        let bytes = testBytes(2 * Self.segmentBytes + 12_345)
        let (segment, join) = ("_segments/.*/00002", "multipart-manifest=put")
        let rules: [(String, [Rule])] = [
            ("segments changed", [.corruptUpload(at: 700_000).on("PUT", segment)]),
            ("segments broken", [.resetUpload(at: 300_000).on("PUT", segment), .loseAnswer.on("PUT", "/00003")]),
            ("slow down", [.slowDown(retryAfter: 1).on("PUT", "/00001"), .internalErrorAfterwards.on("PUT", segment)]),
            ("too many", [.answer(498, "Rate").on("PUT", "/00001")]),
            ("the manifest's answer lost", [.loseAnswer.on("PUT", join)]),
            ("the manifest broken", [.resetUpload(at: 100).on("PUT", join)]),
            ("the manifest changed", [.corruptUpload(at: 100).on("PUT", join)]),
            ("the manifest's failure after the work", [.internalErrorAfterwards.on("PUT", join)]),
        ]
        for (name, rules) in rules {
            for mode in [PutMode.createOnly, .overwrite] {
                let key = ObjectKey("\(name) \(mode)")
                try await proxy.set(rules)
                let info = try await store.put(key, .bytes(bytes), mode: mode)
                #expect(try await proxy.counts() == rules.map { _ in 1 }, "\(key)")
                try await proxy.set([])
                #expect(try await store.head(key) == info, "\(key)")
                #expect(same(try await store.get(key, range: nil), bytes), "\(key)")
                #expect(try await store.segments(of: key).count == 3, "\(key)")
            }
        }
        await expectFailure(.alreadyExists) {
            try await store.put("slow down createOnly", .bytes(bytes), mode: .createOnly)
        }
        try await store.expectNoStraySegments()
    }

    @Test("an upload that fails leaves no segments")
    func abandoned() async throws {
        let (store, proxy) = try await store()
        let bytes = testBytes(3 * Self.segmentBytes)
        try await proxy.set(.answer(403, "Forbidden").on("PUT", "_segments/.*/00002"))
        await expectFailure(.denied) { try await store.put("denied", .bytes(bytes), mode: .overwrite) }
        try await store.expectNoStraySegments()
        try await proxy.set(
            .content(413, "<html><h1>No</h1><p>Upload exceeds quota.</p></html>").on("PUT", "multipart-manifest=put"))
        await expectFailure(.full) { try await store.put("full", .bytes(bytes), mode: .overwrite) }
        try await store.expectNoStraySegments()

        struct ReadFailed: Error {}
        let pieces = AsyncThrowingStream<[UInt8], any Error> { continuation in
            continuation.yield(bytes)
            continuation.finish(throwing: ReadFailed())
        }
        await expectFailure(.invalid) { try await store.put("half", .stream(pieces), mode: .overwrite) }
        try await store.expectNoStraySegments()
        #expect(try await store.isEmpty())
    }

    /// The manifest may have been taken: removing segments could break an object.
    @Test("segments stay where nobody knows what became of the manifest, and the object is whole")
    func unsettled() async throws {
        let (store, proxy) = try await store()
        let bytes = testBytes(2 * Self.segmentBytes)
        try await proxy.set(Rule.loseAnswer.on("PUT", "multipart-manifest=put", times: 100))
        await expectFailure(.unavailable) { try await store.put("unknown", .bytes(bytes), mode: .overwrite) }
        #expect(same(try await store.get("unknown", range: nil), bytes))
        try await store.expectNoStraySegments()
    }

    @Test("a put that is cancelled while its manifest is on the way is done or leaves nothing")
    func cancelledAtTheEnd() async throws {
        let (store, proxy) = try await store()
        let bytes = testBytes(2 * Self.segmentBytes)
        try await proxy.set(Rule.internalError.on("PUT", "multipart-manifest=put", times: 1000))
        let task = Task { try await store.put("late", .bytes(bytes), mode: .createOnly) }
        while try await proxy.counts() == [0] { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        let failure = await task.result
        #expect(throws: ObjectStoreError.self) { try failure.get() }
        try await proxy.set([])
        #expect(try await store.exists("late") == false)
    }

    @Test("a listing that is not one is not taken for an empty one", arguments: ["", "[{}]", "<html/>", "[{\"name\""])
    func brokenListing(body: String) async throws {
        let (store, proxy) = try await store()
        try await store.put("a", .bytes([1]), mode: .overwrite)
        try await proxy.set(Rule.content(200, body).on("GET", "format=json"))
        await expectFailure(.corrupt) { try await store.list(prefix: "", delimiter: nil, after: nil, limit: 5) }
    }

    @Test("an answer to a deletion that does not say so is not taken for success")
    func brokenDeletion() async throws {
        let (store, proxy) = try await store()
        let keys: [ObjectKey] = ["a", "b", "c"]
        for key in keys { try await store.put(key, .bytes([1]), mode: .overwrite) }
        try await proxy.set(Rule.content(200, "{}").on("POST"))
        await expectFailure(.corrupt) { try await store.delete(keys) }
        let refused = "{\"Response Status\": \"400 Bad Request\", \"Errors\": [[\"/c/b\", \"503 Unavailable\"]]}"
        try await proxy.set(Rule.content(200, refused).on("POST"))
        try await store.delete(keys)
        #expect(try await store.isEmpty())

        try await store.put("large", .bytes(testBytes(2 * Self.segmentBytes)), mode: .overwrite)
        try await proxy.set(Rule.content(200, refused).on("DELETE", "multipart-manifest=delete"))
        try await store.delete(["large"])
        #expect(try await proxy.counts() == [1])
        #expect(try await store.isEmpty())
        try await store.expectNoStraySegments()
    }

    @Test("a service without bulk deletion is asked for each object")
    func withoutBulkDeletion() async throws {
        let (store, proxy) = try await store()
        let keys = (0..<20).map { ObjectKey("key \($0)") }
        for key in keys { try await store.put(key, .bytes([1]), mode: .overwrite) }
        try await proxy.set(Rule.content(404, "").on("GET", "^/info"), Rule.content(500, "").on("POST", times: 100))
        try await store.delete(keys)
        #expect(try await proxy.counts() == [1, 0])
        #expect(try await store.isEmpty())
    }
}
