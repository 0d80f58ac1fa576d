import Digests
import StorageURI
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

/// What OSS has of its own, against the scripted service.
@Suite("OSS (scripted service)", .timeLimit(.minutes(30)))
struct OSSServiceTests {
    private typealias Rule = FaultProxy.Rule

    /// The environment of a store that reaches the service as Alibaba Cloud's hosts: as a proxy.
    private func hosts(_ endpoint: String, _ server: OSSTestServer) -> [String: String] {
        server.environment.merging([
            "OSS_ENDPOINT": "http://\(endpoint)", "http_proxy": "http://\(server.authority)",
            "OSS_MAX_RETRIES": "1",
        ]) { $1 }
    }

    private func open(_ variables: [String: String], bucket: String, role: StorageRole? = nil) throws -> OSSObjectStore
    {
        let location = StorageLocation(scheme: .oss, container: bucket, path: uniquePrefix())
        let store = try ObjectStores.open(location, environment: RoleEnvironment(variables, role: role))
        return try #require(store as? OSSObjectStore)
    }

    @Test("a location and an environment are all it takes")
    func environment() async throws {
        let server = try await OSSTestServer.shared
        let own = Dictionary(uniqueKeysWithValues: server.environment.map { ("STORAGE_\($0)", $1) })
        let store = try open(own, bucket: server.bucket, role: .storage)
        for fact in await StorageProbe.run(store) { #expect(fact.ok, "\(fact)") }
        // Of another role nothing is known, and nothing is borrowed.
        let unprefixed = server.environment.merging(["SNAPSHOT_OSS_ENDPOINT": "http://\(server.authority)"]) { $1 }
        let stranger = try open(unprefixed, bucket: server.bucket, role: .snapshot)
        let failure = await expectFailure(.denied) { try await stranger.get("a", range: nil) }
        #expect(failure?.description.contains("SNAPSHOT_OSS_ACCESS_KEY_ID") == true, "\(failure?.description ?? "")")
        let backend = ObjectStores.backend(.oss)
        let found = try await backend.findCredentials(
            store.location, RoleEnvironment(server.environment, role: nil), http: nil)
        #expect(found == "OSS_ACCESS_KEY_ID (key …hkey)")
    }

    @Test("the bucket's name stands before the host, and a bucket elsewhere is found")
    func hosts() async throws {
        let server = try await OSSTestServer.shared
        let home = try open(hosts("oss-cn-hangzhou.aliyuncs.com", server), bucket: server.bucket)
        try await home.put("a b+ü%", .bytes([1, 2]), mode: .createOnly)
        #expect(try await home.get("a b+ü%", range: nil) == [1, 2])
        #expect(home.conditionalWrites.withLock { $0 == .honoured })
        await expectFailure(.alreadyExists) { try await home.put("a b+ü%", .bytes([3]), mode: .createOnly) }

        // Both the host and the region that is signed follow from the answer, to HEAD as well.
        let bucket = server.bucket + "-beijing"
        for version in ["v4", "v1"] {
            var variables = hosts("oss-cn-hangzhou.aliyuncs.com", server)
            variables["OSS_SIGNATURE_VERSION"] = version
            let store = try open(variables, bucket: bucket)
            await expectFailure(.notFound) { try await store.head("none") }
            try await store.put("a", .bytes([1, 2]), mode: .createOnly)
            #expect(try await store.get("a", range: nil) == [1, 2])
        }
        // Callers that learn it at the same time do not stand in each other's way.
        let shared = try open(hosts("oss-cn-hangzhou.aliyuncs.com", server), bucket: bucket)
        try await callers(shared)
        // A host that is not Alibaba Cloud's sends nobody anywhere.
        let proxy = try await FaultProxy(to: server.authority)
        let other = server.store(prefix: uniquePrefix(), at: proxy.authority)
        let answer = "<Error><Code>AccessDenied</Code><Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint></Error>"
        try await proxy.set(.content(403, answer).on("GET", times: 10))
        await expectFailure(.denied) { try await other.get("a", range: nil) }
        #expect(try await proxy.counts() == [1])
    }

    /// Several first uses of a store at once.
    private func callers(_ store: OSSObjectStore) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<16 {
                group.addTask { try await store.put(ObjectKey("\(caller)"), .bytes([1]), mode: .overwrite) }
            }
            try await group.waitForAll()
        }
    }

    @Test("the service's clock is taken over", arguments: OSSSignatureVersion.allCases)
    func clock(version: OSSSignatureVersion) async throws {
        let server = try await OSSTestServer.shared
        let store = server.store(prefix: uniquePrefix(), at: server.aheadAuthority) { version.apply(&$0) }
        await expectFailure(.notFound) { try await store.head("none") }
        try await store.put("a", .bytes([1, 2]), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == [1, 2])
        let other = server.store(prefix: uniquePrefix(), at: server.aheadAuthority) { version.apply(&$0) }
        try await callers(other)
        // That goes on by itself; the check tells it all the same.
        let facts = await StorageProbe.run(other)
        #expect(facts.allSatisfy { $0.ok == ($0.step != .clock) }, "\(facts)")
        let large = testBytes(2 << 20 + 1)
        try await other.put("large", .bytes(large), mode: .createOnly)
        #expect(try await other.get("large", range: nil) == large)
    }

    @Test("temporary keys, and new ones for those that have ended", arguments: OSSSignatureVersion.allCases)
    func tokens(version: OSSSignatureVersion) async throws {
        let server = try await OSSTestServer.shared
        func store(_ token: String?, renewed: String? = nil) -> OSSObjectStore {
            let keys = FixedAlibabaCredentials(
                "STS.\(server.accessKeyID)", server.accessKeySecret, token: token, renewedToken: renewed)
            return server.store(prefix: uniquePrefix(), keys: keys) { version.apply(&$0) }
        }
        try await store("token").put("a", .bytes([1]), mode: .createOnly)
        // By HEAD, whose answer has no body that could say so.
        await expectFailure(.notFound) { try await store("expired", renewed: "token").head("a") }
        for token in ["expired", "wrong", nil] {
            let failure = await expectFailure(.denied) {
                try await store(token).put("a", .bytes([1]), mode: .createOnly)
            }
            #expect(failure?.description.contains("the test (…hkey)") == true, "\(failure?.description ?? "")")
        }
    }

    @Test("a bucket with versions, or a service that does not know the condition, is found out")
    func conditions() async throws {
        let server = try await OSSTestServer.shared
        for (kind, size) in [("versions", 1), ("versions", 2 << 20 + 1), ("ignorant", 1)] {
            let store = server.store(prefix: uniquePrefix(), bucket: "\(server.bucket)-\(kind)")
            #expect(store.createsAtomically)
            let bytes = testBytes(size)
            try await store.put("a", .bytes(bytes), mode: .createOnly)
            #expect(!store.createsAtomically, "\(kind)")
            for count in [1, 2 << 20 + 1] {
                await expectFailure(.alreadyExists) {
                    try await store.put("a", .bytes(testBytes(count)), mode: .createOnly)
                }
            }
            #expect(try await store.get("a", range: nil) == bytes)
            #expect(try await store.unfinishedUploads() == [])
        }
    }

    @Test("refusals are told as the service tells them")
    func refusals() async throws {
        let server = try await OSSTestServer.shared
        let lost = server.store(prefix: uniquePrefix(), bucket: "no-such-bucket")
        for failure in [
            await expectFailure(.notFound) { try await lost.head("a") },
            await expectFailure(.notFound) { try await lost.put("a", .bytes([1]), mode: .createOnly) },
            await expectFailure(.notFound) { try await lost.delete(["a"]) },
            await expectFailure(.notFound) { try await lost.delete(["a", "b"]) },
        ] {
            let text = failure?.description ?? ""
            #expect(text.contains("there is no bucket no-such-bucket") && text.contains("EC 0000-"), "\(text)")
        }
        let wrong = server.store(prefix: uniquePrefix(), keys: FixedAlibabaCredentials("nobody", "x"))
        let failure = await expectFailure(.denied) { try await wrong.head("a") }
        #expect(failure?.description.contains("InvalidAccessKeyId") == true, "\(failure?.description ?? "")")
        let region = server.store(prefix: uniquePrefix()) { $0.region = "cn-shanghai" }
        let refused = await expectFailure(.invalid) { try await region.head("a") }
        #expect(refused?.description.contains("signing region") == true, "\(refused?.description ?? "")")
    }

    @Test("an object goes up in parts through every fault, and nothing else stays")
    func parts() async throws {
        let server = try await OSSTestServer.shared
        let proxy = try await FaultProxy(to: server.authority)
        let store = server.store(prefix: uniquePrefix(), at: proxy.authority)
        // What the service makes of the condition is known from here on.
        try await store.put("first", .bytes([1]), mode: .createOnly)
        #expect(store.conditionalWrites.withLock { $0 == .honoured })
        let bytes = testBytes(2 << 20 + 12_345)
        let (begin, part, join) = ("[?]uploads", "partNumber=2", "[?]uploadId=")
        let rules: [(String, [Rule])] = [
            ("the beginning", [.loseAnswer.on("POST", begin)]),
            (
                "everywhere",
                [
                    .internalErrorAfterwards.on("POST", begin), .resetUpload(at: 300_000).on("PUT", part),
                    .loseAnswer.on("PUT", "partNumber=3"), .loseAnswer.on("POST", join),
                ]
            ),
            (
                "parts",
                [.corruptUpload(at: 400_000).on("PUT", part), .slowDown(retryAfter: 1).on("PUT", "partNumber=1")]
            ),
            ("the end", [.internalErrorAfterwards.on("POST", join)]),
            ("the end, cut", [.truncate(at: 30).on("POST", join)]),
        ]
        for mode in [PutMode.createOnly, .overwrite] {
            for (name, rules) in rules {
                let key = ObjectKey("\(name) \(mode)")
                try await proxy.set(rules)
                try await store.put(key, .bytes(bytes), mode: mode)
                #expect(try await proxy.counts() == rules.map { _ in 1 }, "\(key)")
                try await proxy.set([])
                #expect(try await store.get(key, range: nil) == bytes, "\(key)")
                #expect(try await store.unfinishedUploads() == [], "\(key)")
            }
        }
        await expectFailure(.alreadyExists) {
            try await store.put("parts createOnly", .bytes(bytes), mode: .createOnly)
        }
        // Taken while the parts are under way: they are refused at their end.
        let other = server.store(prefix: store.location.path)
        let left = Atomic<Int>(2)
        let pieces = AsyncThrowingStream<[UInt8], any Error> {
            if left.wrappingSubtract(1, ordering: .relaxed).oldValue > 0 { return testBytes(1 << 20) }
            try await other.put("taken", .bytes([1]), mode: .overwrite)
            return nil
        }
        await expectFailure(.alreadyExists) { try await store.put("taken", .stream(pieces), mode: .createOnly) }
        #expect(try await store.get("taken", range: nil) == [1])
        #expect(try await store.unfinishedUploads() == [])

        try await proxy.set(.answer(403, "AccessDenied").on("PUT", "partNumber=2"))
        await expectFailure(.denied) { try await store.put("denied", .bytes(bytes), mode: .overwrite) }
        #expect(try await store.unfinishedUploads() == [])
        #expect(try await store.exists("denied") == false)
    }

    @Test("what a batch does not say to be gone is deleted by itself, and named when that fails")
    func deletion() async throws {
        let server = try await OSSTestServer.shared
        let proxy = try await FaultProxy(to: server.authority)
        let store = server.store(prefix: uniquePrefix(), at: proxy.authority)
        for key in ["a", "b&<", "c\u{1}"] as [ObjectKey] { try await store.put(key, .bytes([1]), mode: .overwrite) }
        func answer(_ content: String) -> Rule {
            .content(200, "<DeleteResult>\(content)</DeleteResult>").on("POST", "delete")
        }
        let partial = answer("<Deleted><Key>\(store.location.path)/a</Key></Deleted>")
        try await proxy.set(partial, .answer(403, "AccessDenied").on("DELETE", "/b"))
        let failure = await expectFailure(.denied) { try await store.delete(["a", "b&<"]) }
        #expect(failure?.description.contains("/b&<: access denied") == true, "\(failure?.description ?? "")")
        try await proxy.set(answer(""))
        try await store.delete(["a", "b&<", "c\u{1}"])
        #expect(try await proxy.counts() == [1])
        #expect(try await store.isEmpty())
    }

    @Test("answers that are none are refused")
    func answers() {
        func page(_ text: String) -> ServicePage? { ServicePage(oss: Array(text.utf8)) }
        for text in [
            "", "<Other/>", "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><CommonPrefixes></CommonPrefixes></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%G</Key><Size>1</Size></Contents></ListBucketResult>",
        ] { #expect(page(text) == nil, "\(text)") }
        let plus = page(
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a+%2B%20</Key><Size>1</Size></Contents></ListBucketResult>"
        )
        #expect(plus?.objects.map(\.key) == ["a++ "])
    }

    /// Puts, lists and reads as the vendor's client does, and says what it found.
    private static let client = """
        import hashlib, sys, oss2
        authority, version, prefix = sys.argv[1:4]
        keys = ("zenithkey", "zenithsecret")
        auth = oss2.AuthV4(*keys) if version == "v4" else oss2.Auth(*keys)
        bucket = oss2.Bucket(auth, "http://" + authority, "zenith-test", region="cn-hangzhou")
        data = bytes(i * 7 % 251 for i in range(300000))
        bucket.put_object(prefix + "/theirs +ü%", data)
        try:
            bucket.put_object(prefix + "/theirs +ü%", b"x", headers={"x-oss-forbid-overwrite": "true"})
        except oss2.exceptions.ServerError as error:
            print(error.status, error.code)
        upload = bucket.init_multipart_upload(prefix + "/parts").upload_id
        parts = [oss2.models.PartInfo(n, bucket.upload_part(prefix + "/parts", upload, n, data).etag) for n in (1, 2)]
        bucket.complete_multipart_upload(prefix + "/parts", upload, parts)
        print(bucket.get_object(prefix + "/theirs +ü%", byte_range=(10, 19)).read() == data[10:20])
        print(bucket.head_object(prefix + "/parts").content_length)
        names = [o.key[len(prefix):] for o in oss2.ObjectIteratorV2(bucket, prefix=prefix + "/", max_keys=2)]
        print("|".join(names))
        print(hashlib.md5(bucket.get_object(prefix + "/ours").read()).hexdigest())
        """

    @Test("the service answers the vendor's client too, and each reads what the other wrote")
    func vendorClient() async throws {
        let server = try await OSSTestServer.shared
        for version in OSSSignatureVersion.allCases {
            let store = server.store(prefix: uniquePrefix()) { version.apply(&$0) }
            let bytes = testBytes(2 << 20 + 5)
            try await store.put("ours", .bytes(bytes), mode: .createOnly)
            let command = [
                server.python, "-W", "ignore", "-c", Self.client, server.authority, version.rawValue,
                store.location.path,
            ]
            let result = try run(command)
            let lines = result.output.split(separator: "\n").map(String.init)
            #expect(result.status == 0, "\(result.error)")
            let expected = [
                "409 FileAlreadyExists", "True", "600000", "/ours|/parts|/theirs +ü%", Digest.md5(bytes).hexadecimal,
            ]
            #expect(lines == expected, "\(result.output)\(result.error)")
            let theirs = (0..<300_000).map { UInt8($0 * 7 % 251) }
            #expect(try await store.get("theirs +ü%", range: nil) == theirs)
            #expect(try await store.get("parts", range: 299_999..<300_001) == [theirs[299_999], theirs[0]])
        }
    }
}
