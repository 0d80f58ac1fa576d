import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// What only Swift has: large objects, containers beside, tokens.
@Suite("Swift", .timeLimit(.minutes(30)))
struct SwiftObjectStoreTests {
    private static let segmentBytes = SwiftOptions.testing.segmentBytes

    private func store(_ name: String = #function) async throws -> SwiftObjectStore {
        try await SwiftTestServer.openStack.store(prefix: uniquePrefix(name))
    }

    @Test("a large object is one in listings, and takes its segments along when it goes")
    func largeObject() async throws {
        let store = try await store()
        let bytes = testBytes(5 * Self.segmentBytes + 7)
        let key: ObjectKey = "dir/ä b%+\"'&"
        let info = try await store.put(key, .bytes(bytes), mode: .createOnly)
        let names = try await store.segments(of: key)
        #expect(names.count == 6)
        let listed = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10).objects
        #expect(listed == [info])
        #expect(try await store.head(key) == info)
        // Over the seams.
        for range in [
            Self.segmentBytes - 3..<Self.segmentBytes + 5, 10..<(3 * Self.segmentBytes),
            5 * Self.segmentBytes..<bytes.count + 5,
        ] {
            #expect(try await store.get(key, range: range) == Array(bytes[range.clamped(to: 0..<bytes.count)]))
        }
        try await store.put("small", .bytes([1]), mode: .overwrite)
        try await store.delete([key, "small", "none"])
        #expect(try await store.isEmpty())
        try await store.expectNoStraySegments()
        for name in names {
            let operation = SwiftOperation(method: "HEAD", target: store.segments.object(name))
            await #expect(throws: ServiceFailure.self) { try await store.client.perform(operation) }
        }
    }

    @Test("overwriting takes the old segments away", arguments: [3, 2 << 20])
    func overwrite(newSize: Int) async throws {
        let store = try await store()
        let old = testBytes(3 * Self.segmentBytes, seed: 1)
        let new = testBytes(newSize, seed: 2)
        try await store.put("o", .bytes(old), mode: .overwrite)
        let oldNames = try await store.segments(of: "o")
        try await store.put("o", .bytes(new), mode: .overwrite)
        #expect(try await store.get("o") == new)
        let newNames = try await store.segments(of: "o")
        #expect(oldNames.count == 3 && Set(newNames).isDisjoint(with: oldNames))
        try await store.expectNoStraySegments()
        // One that fails leaves the old object, with its segments.
        let broken = PieceStream(pieces: Array(repeating: testBytes(1 << 20), count: 4), end: .fail).body
        #expect(try await errorCode { try await store.put("o", broken, mode: .overwrite) } == .invalid)
        #expect(try await store.get("o") == new)
        try await store.expectNoStraySegments()
    }

    @Test("a large object whose segment is gone is not read as a shorter one")
    func missingSegment() async throws {
        let store = try await store()
        try await store.put("o", .bytes(testBytes(3 * Self.segmentBytes)), mode: .overwrite)
        let names = try await store.segments(of: "o")
        await store.segments.remove([names[1]])
        await #expect(throws: ObjectStoreError.self) { try await store.get("o", range: nil) }
        await store.segments.remove([names[0]])
        await expectFailure(.corrupt) { try await store.get("o", range: nil) }
        try await store.delete(["o"])
        try await store.expectNoStraySegments()
    }

    @Test("a missing container is told from a missing object")
    func missingContainer() async throws {
        let server = try await SwiftTestServer.openStack
        func store() -> SwiftObjectStore { server.store(prefix: "p", container: "not there") }
        let missing = "there is no container not there"
        let large = testBytes(2 * Self.segmentBytes)
        let calls: [(SwiftObjectStore) async throws -> Void] = [
            { _ = try await $0.get("a", range: nil) }, { _ = try await $0.head("a") },
            { _ = try await $0.put("a", .bytes([1]), mode: .overwrite) },
            { _ = try await $0.put("a", .bytes([1]), mode: .createOnly) },
            { _ = try await $0.put("a", .bytes(large), mode: .overwrite) },
            { _ = try await $0.list(prefix: "", delimiter: nil, after: nil, limit: 1) },
            { try await $0.delete(["a"]) }, { try await $0.delete(["a", "b"]) },
        ]
        for call in calls {
            let failure = await expectFailure(.notFound) { try await call(store()) }
            #expect(failure?.description.contains(missing) == true, "\(failure?.description ?? "")")
        }
        let there = try await self.store()
        let failure = await expectFailure(.notFound) { try await there.get("a", range: nil) }
        #expect(failure?.description.contains("there is no such object (404") == true, "\(failure?.description ?? "")")
        for container in ["not there", "not there_segments"] {
            let made = server.store(prefix: "", container: container)
            await expectFailure(.notFound) { try await made.isEmpty() }
        }
    }

    @Test("the container of segments is made like that of the objects")
    func segmentContainer() async throws {
        let container = "readable-\(uniquePrefix())"
        let store = try await SwiftTestServer.openStack.store(prefix: "", container: container)
        _ = try await store.client.perform(
            SwiftOperation(
                method: "PUT", target: .container(container), headers: [("X-Container-Read", "zenith:reader")]))
        try await store.put("o", .bytes(testBytes(2 * Self.segmentBytes)), mode: .overwrite)
        let made = try await store.client.perform(
            SwiftOperation(method: "HEAD", target: .container("\(container)_segments")))
        #expect(made.headers["x-container-read"] == "zenith:reader")
        // One who may only read.
        let reader = try await SwiftTestServer.openStack.store(
            prefix: "", variables: ["ST_USER": "zenith:reader"], container: container)
        #expect(try await reader.get("o", range: nil).count == 2 * Self.segmentBytes)
        let refused = await expectFailure(.denied) { try await reader.put("o", .bytes([1]), mode: .overwrite) }
        #expect(refused?.description.contains("credentials came from ST_USER (user zenith:reader)") == true)
        await expectFailure(.notFound) { try await reader.get("none", range: nil) }
        try await store.delete(["o"])
    }

    @Test("another account's container is refused")
    func otherAccount() async throws {
        let store = try await SwiftTestServer.openStack.store(
            prefix: "p", variables: ["ST_USER": "other:zenithkey"])
        await expectFailure(.denied) { try await store.get("a", range: nil) }
        await expectFailure(.denied) { try await store.put("a", .bytes([1]), mode: .createOnly) }
        await expectFailure(.denied) { try await store.list(prefix: "", delimiter: nil, after: nil, limit: 1) }
        await expectFailure(.denied) { try await store.delete(["a"]) }
    }

    /// A token that the service takes no more, as one that has ended.
    private final class StaleTokens: SwiftTokenProvider {
        let source: SwiftTokenSource
        let stale: SwiftToken
        init(_ source: SwiftTokenSource, account: String, token: String) {
            self.source = source
            stale = SwiftToken(token: Secret(token), storageURL: account, source: "the test")
        }
        func token(refresh: Bool) async throws -> SwiftToken { refresh ? try await source.token(refresh: true) : stale }
    }

    @Test("a token that is refused is replaced, and the request sent again")
    func renewal() async throws {
        let server = try await SwiftTestServer.openStack
        let store = try await store()
        let source = SwiftTokenSource(
            environment: RoleEnvironment(server.environment, role: nil), http: HTTPTransport())
        let tokens = StaleTokens(
            source, account: "http://\(server.authority)\(server.accountPath)", token: "AUTH_tk00000000")
        let stale = SwiftObjectStore(
            location: store.location, options: .testing, tokens: tokens, transport: HTTPTransport())
        let bytes = testBytes(3 * Self.segmentBytes)
        try await stale.put("o", .bytes(bytes), mode: .createOnly)
        #expect(try await stale.get("o", range: nil) == bytes)
        #expect(try await stale.list(prefix: "", delimiter: nil, after: nil, limit: 5).objects.count == 1)
        try await stale.delete(["o"])
        #expect(try await store.isEmpty())
        try await store.expectNoStraySegments()
    }

    @Test("with a token and the account's address nothing is asked; a refused token is told as such")
    func givenToken() async throws {
        let server = try await SwiftTestServer.openStack
        let source = SwiftTokenSource(
            environment: RoleEnvironment(server.environment, role: nil), http: HTTPTransport())
        let token = try await source.token(refresh: false)
        #expect(token.storageURL == "http://\(server.authority)\(server.accountPath)")
        #expect(token.expiration != nil)
        let location = StorageLocation(scheme: .swift, container: server.container, path: uniquePrefix())
        func opened(_ token: String) throws -> any ObjectStore {
            try ObjectStores.open(
                location,
                environment: RoleEnvironment(
                    [
                        "OS_AUTH_TOKEN": token,
                        "OS_STORAGE_URL": server.environment(at: server.authority)["OS_STORAGE_URL"]!,
                    ],
                    role: nil))
        }
        let store = try opened(token.token.reveal())
        try await store.put("a", .bytes([1]), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == [1])
        let wrong = try opened("AUTH_tkwrong")
        let failure = await expectFailure(.denied) { try await wrong.get("a", range: nil) }
        #expect(failure?.description.contains("credentials came from OS_AUTH_TOKEN") == true)
    }

    @Test("tokens that end are replaced while work goes on", .enabled(if: TestSelection.allStorages))
    func briefTokens() async throws {
        let server = try await SwiftTestServer.brief
        let store = server.store(prefix: uniquePrefix())
        let clock = ContinuousClock()
        let end = clock.now + .seconds(25)  // three lives of a token
        var count = 0
        while clock.now < end {
            let key = ObjectKey("o\(count)")
            try await store.put(key, .bytes(testBytes(1000)), mode: .createOnly)
            #expect(try await store.get(key).count == 1000)
            count += 1
        }
        #expect(try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10_000).objects.count == count)
    }

    @Test(
        "what the service is asked for is found beside the version",
        arguments: [
            ("https://h/v1/AUTH_a", "https://h/info"), ("http://h:8080/swift/v1", "http://h:8080/swift/info"),
            ("https://h/swift/v1/AUTH_a", "https://h/swift/info"), ("https://h/other", nil),
        ])
    func info(account: String, info: String?) {
        #expect(SwiftClient.infoURL(account) == info)
    }
}
