import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// What a network and a service do wrong, done by a proxy before an emulator: the work is done all the same, once.
@Suite("Google Cloud Storage with faults", .timeLimit(.minutes(30)))
struct GoogleCloudFaultTests {
    private typealias Rule = FaultProxy.Rule
    private static let chunkBytes = GoogleTestService.chunkBytes

    @Test("does as every remote storage", arguments: GoogleTestService.allCases, RemoteCase.all)
    func remote(service: GoogleTestService, one: RemoteCase) async throws {
        try await one.run(
            RemoteTarget(
                authority: service.authority, write: .init(method: "POST", target: "uploadType=multipart"),
                delete: .init(method: "DELETE")
            ) { authority, prefix, identity, stallTimeout in
                // The emulators check no token: it is the service that makes them which refuses.
                let tokens: any GoogleTokenProvider =
                    identity == .good ? FixedToken() : try await Self.tokens(of: "wrong.json")
                return GoogleTestService.store(
                    at: authority, prefix: prefix, tokens: tokens, stallTimeout: stallTimeout)
            })
    }

    /// The chain of credentials, with a file that the token services know.
    private static func tokens(of file: String) async throws -> any GoogleTokenProvider {
        let server = try await GoogleServers.tokens
        let path = try #require(server.values["CREDENTIALS"]) + "/\(file)"
        let environment = RoleEnvironment(["GOOGLE_APPLICATION_CREDENTIALS": path], role: nil)
        return GoogleCredentialChain.make(
            environment: environment, settings: try GoogleCloudSettings(environment: environment),
            http: HTTPTransport())
    }

    // MARK: - Uploads in chunks

    /// Of those that know how far an upload has come.
    private static let resuming = GoogleTestService.allCases.filter { $0 != .fake }

    @Test("an object goes up in chunks, whatever breaks", arguments: resuming)
    func chunks(service: GoogleTestService) async throws {
        let proxy = try await FaultProxy(to: service.authority)
        let prefix = uniquePrefix()
        let bytes = testBytes(9 * Self.chunkBytes + 12_345)
        let (begin, chunk) = ("uploadType=resumable", "upload_id=")
        let rules: [(String, [Rule])] = [
            ("nothing", []), ("the beginning", [.loseAnswer.on("POST", begin)]),
            ("the beginning is put off", [.slowDown(retryAfter: 1).on("POST", begin)]),
            ("a chunk is broken", [.resetUpload(at: 600_000).on("PUT", chunk, skip: 2)]),
            ("a chunk is refused", [.internalError.on("PUT", chunk, skip: 1)]),
            ("a chunk's answer is lost", [.loseAnswer.on("PUT", chunk, skip: 1)]),
            ("a chunk is reported wrongly", [.internalErrorAfterwards.on("PUT", chunk)]),
            ("the question is lost too", [.internalErrorAfterwards.on("PUT", chunk, times: 2)]),
            ("the last answer is lost", [.loseAnswer.on("PUT", chunk, skip: 9)]),
            ("the last one is reported wrongly", [.internalErrorAfterwards.on("PUT", chunk, skip: 9)]),
        ]
        for (name, rules) in rules {
            let store = GoogleTestService.store(at: proxy.authority, prefix: prefix)
            let key = ObjectKey(name)
            try await proxy.set(rules)
            let info = try await store.put(key, .bytes(bytes), mode: .createOnly)
            #expect(try await proxy.counts() == rules.map { $0.times }, "\(name)")
            try await proxy.set([])
            let head = try await store.head(key)
            #expect(info.sizeBytes == bytes.count && info == head, "\(name)")
            #expect(try await store.get(key, range: nil) == bytes, "\(name)")
            await expectFailure(.alreadyExists) { try await store.put(key, .bytes(bytes), mode: .createOnly) }
        }
    }

    @Test("a chunk that was changed on its way does not become an object", arguments: GoogleTestService.allCases)
    func changedChunk(service: GoogleTestService) async throws {
        let proxy = try await FaultProxy(to: service.authority)
        let store = GoogleTestService.store(at: proxy.authority, prefix: uniquePrefix())
        try await proxy.set(.corruptUpload(at: 400_000).on("PUT", "upload_id=", times: 9))
        await expectFailure(.unavailable) {
            try await store.put("a", .bytes(testBytes(9 * Self.chunkBytes)), mode: .createOnly)
        }
        #expect(try await store.exists("a") == false)
    }

    @Test("an upload that fails or is given up ends its session", arguments: GoogleTestService.allCases)
    func abandoned(service: GoogleTestService) async throws {
        let proxy = try await FaultProxy(to: service.authority)
        let store = GoogleTestService.store(at: proxy.authority, prefix: uniquePrefix())
        let bytes = testBytes(9 * Self.chunkBytes)
        let end = Rule.content(499, "").on("DELETE", "upload_id=")
        let refusal = "{\"error\":{\"code\":403,\"message\":\"No.\",\"errors\":[{\"reason\":\"forbidden\"}]}}"
        try await proxy.set(.content(403, refusal).on("PUT", "upload_id=", skip: 1), end)
        let failure = await expectFailure(.denied) { try await store.put("denied", .bytes(bytes), mode: .overwrite) }
        #expect(failure?.description.contains("access denied (403 forbidden: No.)") == true)
        #expect(try await proxy.counts() == [1, 1])

        try await proxy.set(end)
        let broken = PieceStream(pieces: [bytes, [1]], end: .fail).body
        await expectFailure(.invalid) { try await store.put("half", broken, mode: .overwrite) }
        #expect(try await proxy.counts() == [1])

        try await proxy.set(end)
        let (taken, continuation) = AsyncStream<Void>.makeStream()
        let hanging = PieceStream(pieces: [bytes, [1]], end: .hang, whenTaken: { continuation.finish() }).body
        let task = Task { try await store.put("cancelled", hanging, mode: .overwrite) }
        for await _ in taken {}
        task.cancel()
        await expectFailure(.unavailable) { try await task.value }
        #expect(try await proxy.counts() == [1])
        #expect(try await store.isEmpty())
    }

    @Test("files go up as bytes do, whole and in chunks", arguments: GoogleTestService.allCases)
    func files(service: GoogleTestService) async throws {
        let directory = try TemporaryDirectory()
        let store = try await service.store(prefix: uniquePrefix())
        for count in [1, 300_000, 9 * Self.chunkBytes + 1] {
            let bytes = testBytes(count)
            let path = directory.path + "/file"
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            try await store.put("file", .file(path: path), mode: .overwrite)
            #expect(try await store.get("file", range: nil) == bytes, "\(count)")
        }
    }

    // MARK: - Conditions

    @Test("a service that ignores the condition is found out, one that honours it is trusted")
    func conditions() async throws {
        let emulator = try await GoogleTestService.emulator.store(prefix: uniquePrefix())
        try await emulator.put("a", .bytes([1]), mode: .createOnly)
        #expect(!emulator.createsAtomically)
        await expectFailure(.alreadyExists) { try await emulator.put("a", .bytes([2]), mode: .createOnly) }
        #expect(try await emulator.get("a") == [1])
        let fake = try await GoogleTestService.fake.store(prefix: uniquePrefix())
        try await fake.put("a", .bytes([1]), mode: .createOnly)
        #expect(fake.createsAtomically)
    }

    @Test("Google's own service is asked only once: its conditions hold for both kinds of upload")
    func googleConditions() async throws {
        guard GoogleTestService.allCases.contains(.bench) else { return }
        let proxy = try await FaultProxy(to: GoogleTestService.bench.authority)
        let store = GoogleTestService.store(at: proxy.authority, prefix: uniquePrefix()) { $0.isGoogle = true }
        let large = testBytes(9 * Self.chunkBytes)
        try await store.put("a", .bytes([1]), mode: .createOnly)
        await expectFailure(.alreadyExists) { try await store.put("a", .bytes([2]), mode: .createOnly) }
        await expectFailure(.alreadyExists) { try await store.put("a", .bytes(large), mode: .createOnly) }
        #expect(try await store.get("a") == [1])
        // Another writer is quicker.
        let (taken, continuation) = AsyncStream<Void>.makeStream()
        let (go, start) = AsyncStream<[UInt8]>.makeStream()
        let slow = AsyncThrowingStream<[UInt8], any Error> { pieces in
            pieces.yield(large)
            continuation.finish()
            Task {
                for await piece in go { pieces.yield(piece) }
                pieces.finish()
            }
        }
        let task = Task { try await store.put("b", .stream(slow), mode: .createOnly) }
        for await _ in taken {}
        try await store.put("b", .bytes([3]), mode: .createOnly)
        start.yield([1])
        start.finish()
        await expectFailure(.alreadyExists) { try await task.value }
        #expect(try await store.get("b") == [3])
    }

    // MARK: - Tokens

    @Test("every request has a token, and a new one once the old one is refused")
    func tokens() async throws {
        let gate = try await GoogleServers.tokens
        let transport = HTTPTransport()
        func tell(_ path: String, _ text: String = "") async throws {
            let body = HTTPBody.bytes(Array(text.utf8))
            let url = "http://\(gate.authority)/\(path)"
            #expect(try await transport.send(HTTPRequest(method: "POST", url: url, body: body)).status == 200)
        }
        try await tell("upstream", GoogleTestService.fake.authority)
        let prefix = uniquePrefix()
        let none = GoogleTestService.store(at: gate.authority, prefix: prefix)
        let failure = await expectFailure(.denied) { try await none.get("small") }
        #expect(failure?.description.contains("401 authError: Invalid Credentials") == true)
        let store = GoogleTestService.store(
            at: gate.authority, prefix: prefix, tokens: try await Self.tokens(of: "service.json"))
        let large = testBytes(9 * Self.chunkBytes + 1)
        try await store.put("small", .bytes([1, 2, 3]), mode: .createOnly)
        try await store.put("large", .bytes(large), mode: .createOnly)
        #expect(try await store.get("large") == large)
        for key in ["small", "large"] as [ObjectKey] {
            try await tell("expire")
            #expect(try await store.get(key).isEmpty == false)
            try await tell("expire")
            #expect(try await store.listAll().reduce(into: 0) { count, _ in count += 1 } == 2)
        }
        try await tell("expire")
        try await store.put("large", .bytes(large), mode: .overwrite)
        try await tell("expire")
        try await store.delete(["small", "large"])
        #expect(try await store.isEmpty())
    }

    // MARK: - Headers

    @Test("a key of one's own and the billed project go with the requests that need them")
    func headers() {
        let key = Array("0123456789abcdef0123456789abcdef".utf8)
        let options = GoogleTestService.options(authority: "127.0.0.1:1")
        #expect(options.encryptionHeaders.isEmpty)
        var encrypting = options
        encrypting.encryptionKey = key
        #expect(
            encrypting.encryptionHeaders.map(\.name) == [
                "x-goog-encryption-algorithm", "x-goog-encryption-key", "x-goog-encryption-key-sha256",
            ])
        #expect(
            encrypting.encryptionHeaders.map(\.value) == [
                "AES256", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
                "PrG9Q5lH63YpmOVmzMLgmceREYsvQFecxPfaK1Bht/k=",
            ])
    }

    @Test("a session's address is taken without its host")
    func sessions() {
        let target = "/upload/storage/v1/b/x/o?upload_id=1"
        #expect(GoogleCloudUpload.target("https://elsewhere.example:1\(target)") == target)
        #expect(GoogleCloudUpload.target(target) == target)
        #expect(GoogleCloudUpload.target("https://elsewhere.example") == nil)
        #expect(GoogleCloudUpload.target("upload") == nil)
    }

    @Test("CRC-32C is that of RFC 3720, in Google's form")
    func checksum() {
        let zeros = CRC32C.of([UInt8](repeating: 0, count: 32))
        #expect(zeros.value == 0x8A91_36AA && zeros.base64 == "ipE2qg==")
        #expect(CRC32C.value(base64: "ipE2qg==") == zeros.value && CRC32C.value(base64: "ipE2") == nil)
        var headers = HTTPHeaders()
        headers.fields = [("x-goog-hash", "md5=AAAA"), ("x-goog-hash", "crc32c=ipE2qg==")]
        #expect(CRC32C.value(googleHash: headers) == zeros.value)
        headers.fields = [("x-goog-hash", "crc32c=ipE2qg==,md5=AAAA")]
        #expect(CRC32C.value(googleHash: headers) == zeros.value)
    }
}
