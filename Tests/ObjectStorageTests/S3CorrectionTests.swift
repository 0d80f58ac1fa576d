import Foundation
import StorageURI
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

/// What a service tells a client to correct, and the client corrects by itself.
@Suite("S3 corrections", .timeLimit(.minutes(30)))
struct S3CorrectionTests {
    /// Counts how often the keys are asked for anew.
    private final class CountingCredentials: AWSCredentialProvider {
        let refreshes = Atomic<Int>(0)
        let keys: AWSCredentials
        init(_ server: S3TestServer) {
            keys = AWSCredentials(
                accessKeyID: server.accessKeyID, secretAccessKey: Secret(server.secretAccessKey), source: "the test")
        }
        func credentials(refresh: Bool) async throws -> AWSCredentials {
            if refresh { refreshes.add(1, ordering: .relaxed) }
            return keys
        }
    }

    @Test("a location and an environment are all it takes", arguments: S3TestService.allCases)
    func environment(service: S3TestService) async throws {
        let server = try await service.server
        let location = StorageLocation(scheme: .s3, container: server.bucket, path: uniquePrefix())
        let own = Dictionary(uniqueKeysWithValues: server.environment.map { ("STORAGE_\($0)", $1) })
        let store = try ObjectStores.open(location, environment: RoleEnvironment(own, role: .storage))
        for fact in await StorageProbe.run(store) { #expect(fact.ok, "\(fact)") }
        // Of another role nothing is known, and nothing is borrowed.
        let unprefixed = server.environment.merging(["SNAPSHOT_AWS_ENDPOINT_URL": server.endpoint]) { $1 }
        let stranger = try ObjectStores.open(location, environment: RoleEnvironment(unprefixed, role: .snapshot))
        let failure = await expectFailure(.denied) { try await stranger.get("a", range: nil) }
        #expect(failure?.description.contains("SNAPSHOT_AWS_ACCESS_KEY_ID") == true, "\(failure?.description ?? "")")
    }

    @Test("certificates are verified, against the authorities named where some are named")
    func certificates() async throws {
        let directory = try TemporaryDirectory()
        let identity = directory.path + "/identity.pem"
        try FaultProxy.makeIdentity(path: identity)
        let server = try await S3TestService.seaweed.server
        let proxy = try await FaultProxy(to: server.authority, identity: identity)
        let location = StorageLocation(scheme: .s3, container: server.bucket, path: uniquePrefix())
        var variables = server.environment
        variables["AWS_ENDPOINT_URL"] = "https://\(proxy.authority)"
        variables["S3_MAX_PART_SIZE"] = "5MiB"
        let stranger = try ObjectStores.open(location, environment: RoleEnvironment(variables, role: nil))
        let failure = await expectFailure(.unavailable) { try await stranger.get("a", range: nil) }
        #expect(failure?.description.contains("\(proxy.authority) is not trusted") == true)

        variables["S3_CA_CERT_FILE"] = identity
        let store = try ObjectStores.open(location, environment: RoleEnvironment(variables, role: nil))
        let bytes = testBytes(6 << 20)
        try await store.put("a", .bytes(bytes), mode: .createOnly)
        try await proxy.set(.truncate(at: 3_000_000).on("GET"))
        #expect(try await store.get("a", range: nil) == bytes)
        #expect(try await proxy.counts() == [1])
    }

    @Test("proxies and authorities of the environment are taken over")
    func transport() throws {
        let variables = [
            "https_proxy": "http://p:3128", "HTTP_PROXY": "http://not.this.one", "NO_PROXY": "a,b",
            "S3_STALL_TIMEOUT": "7", "UPLOAD_CONCURRENCY": "100",
        ]
        let environment = RoleEnvironment(variables, role: nil)
        let settings = HTTPTransportSettings(
            try S3Settings(bucket: "b", environment: environment), environment: environment)
        #expect(settings.proxies.https == "http://p:3128")
        #expect(settings.proxies.http == nil)
        #expect(settings.proxies.except == "a,b")
        #expect(settings.stallTimeout == .seconds(7))
        #expect(settings.maximumConnections > 100)
    }

    @Test("many first requests are corrected at once, and none fails")
    func correctedTogether() async throws {
        let store = try await S3TestService.swift.server.store(prefix: uniquePrefix()) {
            $0.region = "eu-west-9"
            $0.now = { Date().addingTimeInterval(-3600) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<16 {
                group.addTask { try await store.put(ObjectKey("\(caller)"), .bytes([1]), mode: .overwrite) }
            }
            try await group.waitForAll()
        }
        #expect(try await store.list(prefix: "", delimiter: nil, after: nil, limit: 20).objects.count == 16)
    }

    @Test("the region that the service names is used from then on")
    func region() async throws {
        // Swift's S3 takes no signature for another region than its own.
        let store = try await S3TestService.swift.server.store(prefix: uniquePrefix()) { $0.region = "eu-west-9" }
        await expectFailure(.notFound) { try await store.head("none") }
        try await store.put("a", .bytes([1, 2]), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == [1, 2])
    }

    @Test("a redirect to another region is followed, once")
    func redirect() async throws {
        let server = try await S3TestService.seaweed.server
        let proxy = try await FaultProxy(to: server.authority)
        let store = server.store(prefix: uniquePrefix(), through: proxy) { $0.region = "eu-west-1" }
        let redirect = FaultProxy.Rule.answer(
            301, "PermanentRedirect", headers: ["x-amz-bucket-region": "us-west-2"])
        try await proxy.set(redirect.on("PUT"))
        try await store.put("a", .bytes([1, 2]), mode: .overwrite)
        try await proxy.set(redirect.on("GET", times: 10))
        await expectFailure(.invalid) { try await store.get("a", range: nil) }
        #expect(try await proxy.counts() == [1])
    }

    @Test("keys that the service calls expired are renewed", arguments: ["ExpiredToken", "ExpiredTokenException"])
    func expired(code: String) async throws {
        let server = try await S3TestService.seaweed.server
        let proxy = try await FaultProxy(to: server.authority)
        let keys = CountingCredentials(server)
        let store = S3ObjectStore(
            location: StorageLocation(scheme: .s3, container: server.bucket, path: uniquePrefix()),
            options: server.options(authority: proxy.authority), credentials: keys, transport: HTTPTransport())
        try await proxy.set(.answer(400, code).on("PUT"))
        try await store.put("a", .bytes([1, 2]), mode: .overwrite)
        #expect(keys.refreshes.load(ordering: .relaxed) == 1)
        try await proxy.set(.answer(400, code).on("GET", times: 10))
        await expectFailure(.denied) { try await store.get("a", range: nil) }
        #expect(try await proxy.counts() == [2])
    }

    @Test("the service's clock is taken over, once", arguments: S3TestService.allCases)
    func clock(service: S3TestService) async throws {
        let server = try await service.server
        let proxy = try await FaultProxy(to: server.authority)
        let store = server.store(prefix: uniquePrefix(), through: proxy)
        func skewed(by seconds: Double) -> FaultProxy.Rule {
            let formatter = DateFormatter()
            formatter.locale = Locale(identifier: "en_US_POSIX")
            formatter.timeZone = TimeZone(identifier: "GMT")
            formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
            let date = formatter.string(from: Date().addingTimeInterval(seconds))
            return .answer(403, "RequestTimeTooSkewed", headers: ["Date": date])
        }
        // Services allow for some minutes.
        try await proxy.set(skewed(by: 120).on("PUT"))
        try await store.put("a", .bytes([1, 2]), mode: .overwrite)
        #expect(try await proxy.counts() == [1])
        // A clock that is nowhere near is refused by the real service, and the failure is told.
        try await proxy.set(skewed(by: -86_400).on("GET"))
        await expectFailure(.denied) { try await store.get("a", range: nil) }
    }

    @Test(
        "a clock that is an hour off is put right by what the service says", arguments: S3TestService.allCases,
        [-3600.0, 3600])
    func wrongClock(service: S3TestService, seconds: Double) async throws {
        let server = try await service.server
        let store = server.store(prefix: uniquePrefix()) { $0.now = { Date() + seconds } }
        #expect(abs(store.client.serviceTime.timeIntervalSinceNow) > 3000)
        // A HEAD is answered without words.
        await expectFailure(.notFound) { try await store.head("a") }
        #expect(abs(store.client.serviceTime.timeIntervalSinceNow) < 60)
        let other = server.store(prefix: uniquePrefix()) { $0.now = { Date() + seconds } }
        let bytes = testBytes(6 << 20)
        try await other.put("a", .bytes(bytes), mode: .createOnly)
        #expect(try await other.get("a", range: nil) == bytes)
        #expect(abs(other.client.serviceTime.timeIntervalSinceNow) < 60)
    }

    @Test("a body that is not the one signed is refused", arguments: S3TestService.allCases.filter { $0 != .seaweed })
    func wrongBody(service: S3TestService) async throws {
        let store = try await service.server.store(prefix: uniquePrefix())
        let key = try store.prefix.full("a")
        let payload = S3Payload(
            body: .bytes([1, 2, 3]), signedHash: SignatureV4.payloadHash([4, 5, 6]), md5: nil, checksum: nil)
        let refused = await #expect(throws: ServiceFailure.self) {
            try await store.client.attempt(S3Operation(method: "PUT", key: key, payload: payload))
        }
        #expect(refused?.status == 400, "\(String(describing: refused))")
        #expect(try await store.exists("a") == false)
    }

    @Test("requests go to the host that a service picks, under the endpoint's name")
    func nodes() async throws {
        let server = try await S3TestService.seaweed.server
        let picker = try await FaultProxy(to: server.authority)
        let location = StorageLocation(scheme: .s3, container: server.bucket, path: uniquePrefix())
        var variables = server.environment
        variables["AWS_ENDPOINT_URL"] = "https://s3.no-such-host.invalid"
        variables["S3_ENDPOINT_SOURCE"] = "http://\(picker.authority)/pick"
        variables["S3_ENDPOINT_PORT"] = String(server.port)
        variables["S3_ENDPOINT_PROTOCOL"] = "http"
        variables["S3_MAX_RETRIES"] = "1"
        variables["S3_MAX_PART_SIZE"] = "5MiB"
        func open() throws -> any ObjectStore {
            try ObjectStores.open(location, environment: RoleEnvironment(variables, role: nil))
        }
        try await picker.set(FaultProxy.Rule.content(200, "127.0.0.1\n").on("GET", "pick", times: 100))
        let store = try open()
        let bytes = testBytes(11 << 20)
        try await store.put("a", .bytes(bytes), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == bytes)
        #expect(try await picker.counts() != [0])

        // One that is away is asked about again; without an answer the endpoint itself is tried.
        try await picker.set(
            .content(200, "127.0.0.2").on("GET", "pick"),
            .content(200, "127.0.0.1").on("GET", "pick", times: 100))
        #expect(try await open().get("a", range: nil) == bytes)
        #expect(try await picker.counts().contains(0) == false)
        try await picker.set(.answer(404, "NoHost").on("GET", "pick", times: 100))
        let nowhere = try open()
        let failure = await expectFailure(.unavailable) { try await nowhere.get("a", range: nil) }
        #expect(failure?.description.contains("s3.no-such-host.invalid") == true)
        variables["AWS_ENDPOINT_URL"] = server.endpoint
        #expect(try await open().get("a", range: nil) == bytes)
    }

    @Test("the certificate of a picked host is the endpoint's", .enabled(if: TestSelection.allStorages))
    func secureNodes() async throws {
        let server = try await S3TestServer.ceph
        let secure = try #require(server.secure)
        let picker = try await FaultProxy(to: server.authority)
        try await picker.set(FaultProxy.Rule.content(200, "127.0.0.1").on("GET", "pick", times: 100))
        let location = StorageLocation(scheme: .s3, container: server.bucket, path: uniquePrefix())
        var variables = server.environment
        variables["AWS_ENDPOINT_URL"] = "https://s3.localhost"
        variables["S3_ENDPOINT_SOURCE"] = "http://\(picker.authority)/pick"
        variables["S3_ENDPOINT_PORT"] = String(secure.port)
        variables["S3_CA_CERT_FILE"] = secure.authorityFile
        let store = try ObjectStores.open(location, environment: RoleEnvironment(variables, role: nil))
        try await store.put("a", .bytes([1]), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == [1])
        // Of another name the certificate is not.
        variables["AWS_ENDPOINT_URL"] = "https://s3.example.org"
        let other = try ObjectStores.open(location, environment: RoleEnvironment(variables, role: nil))
        let failure = await expectFailure(.unavailable) { try await other.get("a", range: nil) }
        #expect(failure?.description.contains("is not trusted") == true, "\(failure?.description ?? "")")
    }

    @Test("a service without conditional writes is found out")
    func noConditions() async throws {
        let server = try await S3TestService.seaweed.server
        let proxy = try await FaultProxy(to: server.authority)
        let store = server.store(prefix: uniquePrefix(), through: proxy) { $0.uploadConcurrency = 1 }
        try await proxy.set(.answer(501, "NotImplemented").on("PUT"))
        try await store.put("a", .bytes([1]), mode: .createOnly)
        #expect(!store.createsAtomically)
        await expectFailure(.alreadyExists) { try await store.put("a", .bytes([2]), mode: .createOnly) }
        #expect(try await store.get("a", range: nil) == [1])

        // The same when parts are joined.
        let large = testBytes(5 << 20 + 1)
        try await proxy.set(.answer(501, "NotImplemented").on("POST", "uploadId="))
        try await store.put("b", .bytes(large), mode: .createOnly)
        #expect(try await store.get("b", range: nil) == large)
        await expectFailure(.alreadyExists) { try await store.put("b", .bytes(large), mode: .createOnly) }
    }

    @Test("a conflict of two writers is tried again", arguments: S3TestService.allCases)
    func conflict(service: S3TestService) async throws {
        let server = try await service.server
        let proxy = try await FaultProxy(to: server.authority)
        let store = server.store(prefix: uniquePrefix(), through: proxy)
        try await proxy.set(.answer(409, "ConditionalRequestConflict").on("PUT", times: 2))
        try await store.put("a", .bytes([1]), mode: .createOnly)
        #expect(try await proxy.counts() == [2])
    }

    @Test("the key that could not be deleted is named, and a passing fault is not fatal")
    func deletionFaults() async throws {
        let server = try await S3TestService.seaweed.server
        let proxy = try await FaultProxy(to: server.authority)
        let prefix = uniquePrefix()
        let store = server.store(prefix: prefix, through: proxy)
        for key in ["a", "b"] as [ObjectKey] { try await store.put(key, .bytes([1]), mode: .overwrite) }
        func answer(_ code: String) -> FaultProxy.Rule {
            .content(
                200,
                "<DeleteResult><Error><Key>\(prefix)/b</Key><Code>\(code)</Code><Message>No.</Message></Error></DeleteResult>"
            )
        }
        try await proxy.set(answer("AccessDenied").on("POST", "delete="))
        let failure = await expectFailure(.denied) { try await store.delete(["a", "b"]) }
        #expect(failure?.description.contains("\(prefix)/b: access denied") == true, "\(failure?.description ?? "")")
        try await proxy.set(answer("InternalError").on("POST", "delete="))
        try await store.delete(["a", "b"])
        // The made-up answer says that "a" is gone; "b" was asked for again.
        #expect(try await store.exists("b") == false)
    }
}
