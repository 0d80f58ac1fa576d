import Digests
import Foundation
import StorageURI
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

/// How the store behaves with services as they are: keys, listings, conditions, refusals, encryption.
@Suite("S3 with real services", .timeLimit(.minutes(30)))
struct S3ServiceTests {
    /// Characters that a URL, a query, XML or a signature treats in a way of its own.
    private static let oddKeys = [
        "a b", "a+b", "a%20b", "a%b", "a&b<c>d", "a\"b'c", "a=b?c#d", "a~b*c", "a:b@c", "a;b,c", "a|c", "(a)[b]{c}",
        "é", "e\u{301}", "日本語/キー", "😀", "dir/.hidden", "dir/a..b", "z$!^`",
    ].map { ObjectKey($0) }

    @Test("keys of any kind are kept as they are", arguments: S3TestService.allCases)
    func keys(service: S3TestService) async throws {
        let store = try await service.server.store(prefix: uniquePrefix())
        for (index, key) in Self.oddKeys.enumerated() {
            try await store.put(key, .bytes(testBytes(10 + index)), mode: .createOnly)
        }
        for (index, key) in Self.oddKeys.enumerated() {
            #expect(try await store.get(key, range: nil) == testBytes(10 + index), "\(key)")
            #expect(try await store.head(key).sizeBytes == 10 + index, "\(key)")
        }
        let listed = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 1000).objects.map(\.key)
        #expect(listed == Self.oddKeys.sorted())
        try await store.delete(Self.oddKeys)
        #expect(try await store.list(prefix: "", delimiter: nil, after: nil, limit: 1000).objects == [])
    }

    @Test("listings page, in byte order, and stop where told", arguments: S3TestService.allCases, [false, true])
    func listing(service: S3TestService, usesV1: Bool) async throws {
        let store = try await service.server.store(prefix: uniquePrefix()) { $0.usesListObjectsV1 = usesV1 }
        let keys = ["a", "b/1", "b/2", "b/3/x", "b/3/y", "c d/1", "c+d/1", "e", "é/1", "f"].map { ObjectKey($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for key in keys { group.addTask { _ = try await store.put(key, .bytes([7]), mode: .overwrite) } }
            try await group.waitForAll()
        }
        let sorted = keys.sorted()
        for limit in [1, 3, 11, 12] {
            var seen: [ObjectKey] = []
            var after: ObjectKey?
            repeat {
                let page = try await store.list(prefix: "", delimiter: nil, after: after, limit: limit)
                #expect(page.objects.count <= limit)
                seen += page.objects.map(\.key)
                after = page.next
            } while after != nil
            #expect(seen == sorted, "limit \(limit)")
        }
        for (index, key) in sorted.enumerated() {
            let page = try await store.list(prefix: "", delimiter: nil, after: key, limit: 100)
            #expect(page.objects.map(\.key) == Array(sorted[(index + 1)...]), "after \(key)")
        }
        let whole = try await store.list(prefix: "", delimiter: "/", after: nil, limit: 100)
        #expect(whole.objects.map(\.key) == ["a", "e", "f"])
        #expect(whole.commonPrefixes == ["b/", "c d/", "c+d/", "é/"])
        for limit in [1, 2, 5] {
            var (objects, prefixes): ([ObjectKey], [String]) = ([], [])
            var after: ObjectKey?
            repeat {
                let page = try await store.list(prefix: "", delimiter: "/", after: after, limit: limit)
                #expect(page.objects.count + page.commonPrefixes.count <= limit)
                objects += page.objects.map(\.key)
                prefixes += page.commonPrefixes
                after = page.next
            } while after != nil
            #expect(objects == ["a", "e", "f"], "limit \(limit)")
            #expect(prefixes == whole.commonPrefixes, "limit \(limit)")
        }
        #expect(try await store.listDirectories(prefix: "b/") == ["b/3/"])
        let inside = try await store.list(prefix: "b/", delimiter: "/", after: "b/1", limit: 100)
        #expect(inside.objects.map(\.key) == ["b/2"])
        #expect(inside.commonPrefixes == ["b/3/"])
        #expect(try await store.isEmpty(prefix: "none"))
    }

    @Test(
        "of writers at the same moment one wins, where the service lets one win", arguments: S3TestService.allCases,
        [1_000, 5 << 20 + 1])
    func race(service: S3TestService, byteCount: Int) async throws {
        let prefix = uniquePrefix()
        let transport = HTTPTransport()
        let server = try await service.server
        let writers = byteCount > 5 << 20 ? 4 : 16
        let winners = await withTaskGroup(of: Int?.self) { group in
            for writer in 0..<writers {
                let store = server.store(prefix: prefix, transport: transport)
                group.addTask {
                    do {
                        let bytes = testBytes(byteCount, seed: UInt64(writer))
                        try await store.put("claim", .bytes(bytes), mode: .createOnly)
                        return writer
                    } catch {
                        #expect((error as? ObjectStoreError)?.code == .alreadyExists, "\(error)")
                        return nil
                    }
                }
            }
            var winners: [Int] = []
            for await winner in group { if let winner { winners.append(winner) } }
            return winners
        }
        // The others look before the object is there, and not again.
        let isAtomic = service == .seaweed && byteCount <= 5 << 20
        #expect(isAtomic ? winners.count == 1 : !winners.isEmpty)
        let store = server.store(prefix: prefix, transport: transport)
        let content = try await store.get("claim", range: nil)
        #expect(winners.contains { content == testBytes(byteCount, seed: UInt64($0)) })
        #expect(try await store.unfinishedUploads() == [])
    }

    @Test("files and streams are written as they are read", arguments: S3TestService.allCases)
    func bodies(service: S3TestService) async throws {
        let store = try await service.server.store(prefix: uniquePrefix())
        let bytes = testBytes(11 << 20 + 321)
        let path = NSTemporaryDirectory() + "zenith-s3-\(UUID().uuidString)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try await store.put("file", .file(path: path), mode: .createOnly).sizeBytes == bytes.count)
        #expect(try await store.get("file", range: nil) == bytes)
        await expectFailure(.invalid) { try await store.put("none", .file(path: path + ".none"), mode: .overwrite) }

        for pieceBytes in [700_001, 5 << 20, 12 << 20] {
            let starts = stride(from: 0, to: bytes.count, by: pieceBytes)
            let pieces = AsyncThrowingStream<[UInt8], any Error> { continuation in
                for start in starts {
                    continuation.yield(Array(bytes[start..<min(start + pieceBytes, bytes.count)]))
                }
                continuation.finish()
            }
            let info = try await store.put("stream", .stream(pieces), mode: .overwrite)
            #expect(info.sizeBytes == bytes.count)
            #expect(try await store.get("stream", range: nil) == bytes, "pieces of \(pieceBytes)")
        }
        let nothing = AsyncThrowingStream<[UInt8], any Error> { $0.finish() }
        try await store.put("nothing", .stream(nothing), mode: .createOnly)
        #expect(try await store.head("nothing").sizeBytes == 0)
    }

    @Test("an upload that is cancelled ends at once and leaves no parts", arguments: S3TestService.allCases)
    func cancellation(service: S3TestService) async throws {
        let store = try await service.server.store(prefix: uniquePrefix())
        let (pieces, continuation) = AsyncThrowingStream<[UInt8], any Error>.makeStream()
        continuation.yield(testBytes(6 << 20))
        let upload = Task { try await store.put("cut", .stream(pieces), mode: .createOnly) }
        while try await store.unfinishedUploads().isEmpty { try await Task.sleep(for: .milliseconds(20)) }
        upload.cancel()  // the pieces would never end
        let failure = await expectFailure(.unavailable) { try await upload.value }
        #expect(failure?.cause is CancellationError)
        #expect(try await store.unfinishedUploads() == [])
        #expect(try await store.exists("cut") == false)
    }

    @Test(
        "many objects are deleted by few requests, missing ones too", arguments: S3TestService.allCases, [1, 7, 1000])
    func deletion(service: S3TestService, batchSize: Int) async throws {
        let store = try await service.server.store(prefix: uniquePrefix()) { $0.deleteBatchSize = batchSize }
        let keys = (0..<15).map { ObjectKey("object-\($0)") }
        for key in keys { try await store.put(key, .bytes([1]), mode: .overwrite) }
        try await store.delete(Array(keys.dropLast()) + ["missing", "object-3"])
        #expect(
            try await store.list(prefix: "", delimiter: nil, after: nil, limit: 100).objects.map(\.key) == ["object-14"]
        )
        try await store.delete([])
    }

    @Test("what a caller may do wrong is named", arguments: S3TestService.allCases)
    func refusals(service: S3TestService) async throws {
        let server = try await service.server
        let id = server.accessKeyID
        let wrongSecret = server.store(prefix: "p", keys: FixedCredentials(id, "not-the-secret-9"))
        let wrongKey = server.store(prefix: "p", keys: FixedCredentials("zenith:nobody", "zenithsecret"))
        for store in [wrongSecret, wrongKey] {
            let failures = [
                await expectFailure(.denied) { try await store.get("k", range: nil) },
                await expectFailure(.denied) { try await store.head("k") },
                await expectFailure(.denied) { try await store.put("k", .bytes([1]), mode: .createOnly) },
                await expectFailure(.denied) { try await store.list(prefix: "", delimiter: nil, after: nil, limit: 1) },
                await expectFailure(.denied) { try await store.delete(["k", "l"]) },
            ]
            for text in failures.compactMap({ $0?.description }) {
                #expect(text.contains("s3://zenith-test/p") && text.contains("403"), "\(text)")
                #expect(text.contains("credentials came from the test (…"), "\(text)")
                #expect(!text.contains("not-the-secret-9") && !text.contains("zenithsecret"), "\(text)")
            }
        }
        let noBucket = server.store(prefix: "p", bucket: "zenith-missing")
        let missing = [
            await expectFailure(.notFound) { try await noBucket.get("k", range: nil) },
            await expectFailure(.notFound) { try await noBucket.head("k") },
            await expectFailure(.notFound) {
                try await noBucket.list(prefix: "", delimiter: nil, after: nil, limit: 1)
            },
        ]
        for text in missing.compactMap({ $0?.description }) {
            #expect(text.contains("bucket zenith-missing"), "\(text)")
        }
    }

    @Test("a service that is not there is unavailable")
    func unreachable() async throws {
        let port = try TestServer.freePort()
        let server = try await S3TestService.seaweed.server
        for (authority, word) in [("127.0.0.1:\(port)", "127.0.0.1:\(port)"), ("no.such.host.invalid", "no.such.host")]
        {
            let store = server.store(prefix: "p") {
                $0.endpoint = S3Endpoint(
                    service: .other(scheme: "http", authority: authority, path: ""), bucket: "b", usesPathStyle: true)
                $0.retries.maximumRetries = 1
            }
            let failure = await expectFailure(.unavailable) { try await store.get("k", range: nil) }
            #expect(failure?.description.contains(word) == true, "\(failure?.description ?? "")")
        }
    }

    @Test("a part of a store's requests is encrypted as told")
    func encryption() async throws {
        let server = try await S3TestService.seaweed.server
        let prefix = uniquePrefix()
        let bytes = testBytes(6 << 20)
        let service = server.store(prefix: prefix) {
            $0.encryption = .service(algorithm: "AES256", keyID: nil)
            $0.storageClass = "STANDARD"
        }
        let key = testBytes(32, seed: 9)
        let customer = server.store(prefix: prefix) { $0.encryption = .customer(key: key, md5: Digest.md5(key)) }
        for (name, store) in [("service", service), ("customer", customer)] {
            for (size, content) in [("small", Array(bytes.prefix(1000))), ("large", bytes)] {
                let object = ObjectKey("\(name)-\(size)")
                try await store.put(object, .bytes(content), mode: .createOnly)
                #expect(try await store.get(object, range: nil) == content, "\(object)")
                #expect(try await store.get(object, range: 100..<200) == Array(content[100..<200]), "\(object)")
                #expect(try await store.head(object).sizeBytes == content.count, "\(object)")
            }
        }
        let plain = server.store(prefix: prefix)
        #expect(try await plain.get("service-small", range: nil) == Array(bytes.prefix(1000)))
        await expectFailure(.invalid) { try await plain.get("customer-small", range: nil) }
    }

    @Test("the storage check finds nothing wrong", arguments: S3TestService.allCases)
    func probe(service: S3TestService) async throws {
        let store = try await service.server.store(prefix: uniquePrefix())
        let facts = await StorageProbe.run(store)
        #expect(facts.map(\.name) == ["write", "create-if-absent", "ranged read", "list", "clock", "delete"])
        for fact in facts { #expect(fact.ok, "\(fact)") }
        #expect(store.createsAtomically)
    }
}
