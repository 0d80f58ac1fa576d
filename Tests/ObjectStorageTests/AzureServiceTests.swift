import Foundation
import StorageURI
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

/// What is Azure's own, against the scripted service.
@Suite("Azure", .timeLimit(.minutes(30)))
struct AzureServiceTests {
    private static let account = ["AZURE_STORAGE_ACCOUNT": AzureTestServer.account]

    @Test("a location and an environment are all it takes")
    func environment() async throws {
        let variables = try await AzureScripted.shared.blobs.variables
        let location = StorageLocation(scheme: .azure, container: AzureTestServer.container, path: uniquePrefix())
        let own = Dictionary(uniqueKeysWithValues: variables.map { ("STORAGE_\($0)", $1) })
        let environment = RoleEnvironment(own, role: .storage)
        let store = try ObjectStores.open(location, environment: environment)
        for fact in await StorageProbe.run(store, isThorough: true) { #expect(fact.ok, "\(fact)") }
        let found = try await AzureBackend.findCredentials(location, environment, http: nil)
        #expect(found == "STORAGE_AZURE_STORAGE_ACCESS_KEY (account devstoreaccount1)")
        // Of another role nothing is known, and nothing is borrowed.
        let endpoint = ["SNAPSHOT_AZURE_STORAGE_SERVICE_ENDPOINT": variables["AZURE_STORAGE_SERVICE_ENDPOINT"] ?? ""]
        let stranger = try ObjectStores.open(
            location, environment: RoleEnvironment(variables.merging(endpoint) { $1 }, role: .snapshot))
        let failure = await expectFailure(.denied) { try await stranger.get("a", range: nil) }
        #expect(failure?.description.contains("SNAPSHOT_AZURE_STORAGE_ACCESS_KEY") == true)
    }

    @Test("a connection string is enough too")
    func connectionString() async throws {
        let server = try await AzureScripted.shared.blobs
        let text =
            "DefaultEndpointsProtocol=http;AccountName=\(AzureTestServer.account);AccountKey=\(AzureTestServer.key);"
            + "BlobEndpoint=\(AzureTestServer.endpoint(server.authority));"
        let store = try AzureTestServer.store(["AZURE_STORAGE_CONNECTION_STRING": text], prefix: uniquePrefix())
        try await store.put("a", .bytes([1]), mode: .createOnly)
        #expect(try await store.get("a") == [1])
    }

    @Test("refusals say what, where and with whose credentials, and nothing secret")
    func refusals() async throws {
        let server = try await AzureScripted.shared.blobs
        var variables = server.variables
        let missing = try AzureTestServer.store(variables, prefix: "p", container: "no-such")
        let failure = await expectFailure(.notFound) { try await missing.get("a", range: nil) }
        let text = failure?.description ?? ""
        #expect(text.contains("azure://no-such/p/a: there is no container no-such (404 ContainerNotFound"), "\(text)")
        await expectFailure(.notFound) { try await missing.delete(["a"]) }
        variables["AZURE_STORAGE_ACCESS_KEY"] = AzureTestServer.wrongKey
        let wrong = try AzureTestServer.store(variables, prefix: "p")
        let denied = await expectFailure(.denied) { try await wrong.head("a") }?.description ?? ""
        #expect(
            denied.contains("credentials came from AZURE_STORAGE_ACCESS_KEY (account devstoreaccount1)"), "\(denied)")
        #expect(denied.contains("403 AuthenticationFailed") && !denied.contains("MAC"), "\(denied)")
        let listed = await expectFailure(.denied) {
            try await wrong.list(prefix: "", delimiter: nil, after: nil, limit: 1)
        }
        #expect(listed?.description.contains("Server failed to authenticate the request.; request ") == true)
        #expect(listed?.description.contains("RequestId") == false)
    }

    @Test("a clock that is wrong is corrected by the service's")
    func clock() async throws {
        let store = try await AzureScripted.shared.skewed.store(prefix: uniquePrefix())
        try await store.put("a", .bytes([1, 2]), mode: .createOnly)
        #expect(try await store.get("a") == [1, 2])
        #expect((store.clockOffset ?? .zero) > .seconds(3500))
    }

    // MARK: - Who asks

    @Test("shared access signatures do what they allow, and no more")
    func signatures() async throws {
        let server = try await AzureScripted.shared.blobs
        let tokens = try await AzureScripted.shared.server.values
        func store(_ name: String, _ prefix: String) throws -> AzureObjectStore {
            let variables = ["AZURE_STORAGE_SAS_TOKEN": try #require(tokens[name])]
            return try AzureTestServer.store(AzureTestServer.variables(server.authority, variables), prefix: prefix)
        }
        let prefix = uniquePrefix()
        let all = try store("account", prefix)
        let bytes = testBytes(9 << 20)
        try await all.put("a b/ü+%", .bytes(bytes), mode: .createOnly)
        #expect(try await all.get("a b/ü+%", range: nil) == bytes)
        let reading = try store("container", prefix)
        #expect(try await reading.get("a b/ü+%", range: 10..<20) == Array(bytes[10..<20]))
        #expect(try await reading.list(prefix: "", delimiter: nil, after: nil, limit: 9).objects.count == 1)
        let refused = await expectFailure(.denied) { try await reading.put("b", .bytes([1]), mode: .overwrite) }
        #expect(
            refused?.description.contains("AZURE_STORAGE_SAS_TOKEN (account devstoreaccount1, permissions rl") == true)
        let signature = try #require(tokens["container"]?.split(separator: "sig=").last)
        #expect(refused?.description.contains(signature) == false)
        let old = await expectFailure(.denied) { try await store("expired", prefix).get("a", range: nil) }
        #expect(old?.description.contains("Signature not valid in the specified time frame") == true)
        #expect(old?.description.contains("until 2020-01-01T00:00:00Z") == true, "\(old?.description ?? "")")
        try await all.delete(["a b/ü+%"])
        #expect(try await all.isEmpty())
    }

    @Test(
        "identities of Entra and of machines are let in by their tokens",
        arguments: ["secret", "certificate", "chain", "federated", "machine", "client", "service"])
    func identities(kind: String) async throws {
        let scripted = try await AzureScripted.shared
        let application = [
            "AZURE_TENANT_ID": "zenith-tenant", "AZURE_CLIENT_ID": "zenith-client",
            "AZURE_AUTHORITY_HOST": scripted.tokens,
        ]
        var variables: [String: String] = [:]
        switch kind {
        case "secret": variables = application.merging(["AZURE_CLIENT_SECRET": "zenithsecret"]) { $1 }
        case "certificate", "chain":
            variables = application
            variables["AZURE_CLIENT_CERTIFICATE_PATH"] = scripted.server.values["certificate"]
            if kind == "chain" { variables["AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"] = "true" }
        case "federated":
            variables = application
            variables["AZURE_FEDERATED_TOKEN_FILE"] = scripted.server.values["federated"]
        case "service":
            variables = ["IDENTITY_ENDPOINT": "\(scripted.tokens)/msi/token", "IDENTITY_HEADER": "zenithsecret"]
        default:
            variables = ["AZURE_POD_IDENTITY_AUTHORITY_HOST": scripted.tokens]
            if kind == "client" { variables["AZURE_CLIENT_ID"] = "zenith-client" }
        }
        variables.merge(Self.account) { $1 }
        let all = AzureTestServer.variables(scripted.server.authority, variables)
        let store = try AzureTestServer.store(all, prefix: uniquePrefix())
        try await store.put("a", .bytes([1]), mode: .createOnly)
        #expect(try await store.get("a") == [1])
        variables["AZURE_CLIENT_SECRET"] = variables["AZURE_CLIENT_SECRET"].map { _ in "hunter2" }
        variables["IDENTITY_HEADER"] = variables["IDENTITY_HEADER"].map { _ in "hunter2" }
        guard kind == "secret" || kind == "service" else { return }
        let wrong = try AzureTestServer.store(
            AzureTestServer.variables(scripted.server.authority, variables), prefix: uniquePrefix())
        let failure = await expectFailure(.denied) { try await wrong.get("a", range: nil) }
        #expect(failure?.description.contains("AADSTS0: ") == true && failure?.description.contains("hunter2") == false)
    }

    /// Gives a token that no service knows, until it is told that it is not good.
    private struct StaleToken: AzureCredentialProvider {
        /// Nil: it has no other.
        var fresh: (any AzureCredentialProvider)?

        func credentials(refresh: Bool) async throws -> AzureCredentials {
            if refresh, let fresh { return try await fresh.credentials(refresh: true) }
            return AzureCredentials(kind: .token(Secret("stale")), source: "the test", identity: "stale")
        }
    }

    @Test("a token that is refused is replaced once")
    func staleToken() async throws {
        let scripted = try await AzureScripted.shared
        let variables = AzureTestServer.variables(
            scripted.server.authority,
            ["AZURE_POD_IDENTITY_AUTHORITY_HOST": scripted.tokens].merging(Self.account) { $1 })
        let environment = RoleEnvironment(variables, role: nil)
        let fresh = AzureCredentialChain.make(
            environment: environment, settings: try AzureSettings(environment), http: HTTPTransport())
        let store = try AzureTestServer.store(variables, prefix: uniquePrefix(), credentials: StaleToken(fresh: fresh))
        try await store.put("a", .bytes([1]), mode: .createOnly)
        let stuck = try AzureTestServer.store(variables, prefix: uniquePrefix(), credentials: StaleToken())
        let failure = await expectFailure(.denied) { try await stuck.put("a", .bytes([1]), mode: .createOnly) }
        #expect(failure?.description.contains("401 InvalidAuthenticationInfo") == true)
    }

    // MARK: - Writing

    @Test("what another writes to a key meanwhile throws our blocks away, and is left", arguments: [false, true])
    func lostBlocks(isDeleted: Bool) async throws {
        let server = try await AzureScripted.shared.blobs
        let prefix = uniquePrefix()
        let other = try server.store(prefix: prefix)
        for mode in [PutMode.createOnly, .overwrite] {
            let key = ObjectKey("\(mode)")
            // One block at a time: when the fourth piece is asked for, the first has been sent.
            let store = try server.store(prefix: prefix) { $0.uploadConcurrency = 1 }
            let counter = Atomic<Int>(0)
            let source = AsyncThrowingStream<[UInt8], any Error>(unfolding: {
                let index = counter.add(1, ordering: .relaxed).oldValue
                if index == 3 {
                    try await other.put(key, .bytes([7]), mode: .overwrite)
                    if isDeleted { try await other.delete([key]) }
                }
                return index < 5 ? testBytes(4 << 20, seed: UInt64(index)) : nil
            })
            let code = try await errorCode { try await store.put(key, .stream(source), mode: mode) }
            #expect(code == (mode == .createOnly && !isDeleted ? .alreadyExists : .unavailable), "\(mode)")
            if isDeleted {
                #expect(try await other.exists(key) == false)
            } else {
                #expect(try await other.get(key) == [7])
            }
        }
    }

    @Test("two that write the same key in blocks do not mix theirs")
    func blocksOfTwo() async throws {
        let server = try await AzureScripted.shared.blobs
        let prefix = uniquePrefix()
        let bytes = (0..<2).map { testBytes(9 << 20, seed: UInt64($0)) }
        let outcomes = try await withThrowingTaskGroup(of: ObjectStoreError.Code?.self) { group in
            for content in bytes {
                group.addTask {
                    let store = try server.store(prefix: prefix)
                    return try await errorCode { try await store.put("both", .bytes(content), mode: .createOnly) }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { $0 == nil }.count == 1 && outcomes.contains(.alreadyExists), "\(outcomes)")
        let found = try await server.store(prefix: prefix).get("both", range: nil)
        #expect(found == bytes[0] || found == bytes[1])
    }

    @Test("blocks of one object have ids of one length, and no two writes have the same")
    func blockIDs() {
        let writes = (0..<2).map { _ in AzureWrite(key: "k", fullKey: "k", mode: .overwrite) }
        let ids = writes.flatMap { write in [1, 2, 255, 256, 50_000].map(write.blockID) }
        #expect(Set(ids).count == 10 && Set(ids.map(\.utf8.count)).count == 1)
        #expect(writes[0].token != writes[1].token)
    }

    // MARK: - Listing

    /// Changes nothing, and is counted.
    private static func seen(_ target: String) -> FaultProxy.Rule {
        .corrupt(at: 1 << 40).on("GET", target, times: 1000)
    }

    private static func fill(_ store: AzureObjectStore, _ keys: [ObjectKey]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, key) in keys.enumerated() {
                if index >= 16 { try await group.next() }
                group.addTask { try await store.put(key, .bytes([1]), mode: .overwrite) }
            }
            try await group.waitForAll()
        }
    }

    /// The scripted service gives 400 names at a time.
    @Test(
        "those who page go on near where they ended, or at the very name",
        arguments: [("2021-12-02", [3, 0, 2]), ("2026-02-06", [0, 2, 1])])
    func paging(version: String, counts: [Int]) async throws {
        let server = try await AzureScripted.shared.blobs
        let proxy = try await FaultProxy(to: server.authority)
        let variables = AzureTestServer.variables(proxy.authority, ["AZURE_STORAGE_ACCESS_KEY": AzureTestServer.key])
        let prefix = uniquePrefix()
        func store() throws -> AzureObjectStore {
            try AzureTestServer.store(variables, prefix: prefix) { $0.apiVersion = version }
        }
        let paging = try store()
        let keys = (0..<900).map { ObjectKey("k\($0 / 100)/\(1000 + $0)") }
        try await Self.fill(try server.store(prefix: prefix), keys)

        try await proxy.set(Self.seen("marker="), Self.seen("startFrom="), Self.seen("comp=list"))
        var listed: [ObjectKey] = []
        for try await object in paging.listAll(pageCount: 300) { listed.append(object.key) }
        #expect(listed == keys)
        #expect(try await proxy.counts() == counts)

        // What was written in between meanwhile is not missed.
        let between = ObjectKey(keys[599].text + "+")
        try await paging.put(between, .bytes([1]), mode: .createOnly)
        let page = try await paging.list(prefix: "", delimiter: nil, after: keys[599], limit: 2)
        #expect(page.objects.map(\.key) == [between, keys[600]])

        // By a store that has listed nothing before.
        let rest = try await store().list(prefix: "", delimiter: nil, after: keys[850], limit: 5)
        #expect(rest.objects.map(\.key) == Array(keys[851..<856]) && rest.next == keys[855])
        let folders = try await store().list(prefix: "", delimiter: "/", after: "k6/", limit: 5)
        #expect(folders.commonPrefixes == ["k7/", "k8/"] && folders.next == nil)
    }

    @Test("names are passed over by large steps, and a marker that is refused is not fatal")
    func skipping() async throws {
        let server = try await AzureScripted.shared.blobs
        let proxy = try await FaultProxy(to: server.authority)
        let variables = AzureTestServer.variables(proxy.authority, ["AZURE_STORAGE_ACCESS_KEY": AzureTestServer.key])
        let prefix = uniquePrefix()
        let keys = (0..<900).map { ObjectKey("\(1000 + $0)") }
        try await Self.fill(try server.store(prefix: prefix), keys)
        let store = try AzureTestServer.store(variables, prefix: prefix)
        try await proxy.set(Self.seen("comp=list"))
        let page = try await store.list(prefix: "", delimiter: nil, after: keys[850], limit: 3)
        #expect(page.objects.map(\.key) == Array(keys[851..<854]))
        #expect(try await proxy.counts() == [3])
        try await proxy.set(.answer(400, "OutOfRangeInput").on("GET", "marker="))
        let next = try await store.list(prefix: "", delimiter: nil, after: keys[853], limit: 3)
        #expect(next.objects.map(\.key) == Array(keys[854..<857]))
        #expect(try await proxy.counts() == [1])
    }

    @Test("names that XML cannot express are listed as they are")
    func names() async throws {
        let store = try await AzureScripted.shared.blobs.store(prefix: uniquePrefix())
        let keys = ["a%41<&>", "b\u{1}\u{B}", "c\u{FFFE}/d", "e\r\nf"].map { ObjectKey($0) }
        for key in keys { try await store.put(key, .bytes([1]), mode: .createOnly) }
        let page = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10)
        #expect(page.objects.map(\.key) == keys)
        #expect(
            try await store.list(prefix: "c", delimiter: "/", after: nil, limit: 9).commonPrefixes == ["c\u{FFFE}/"])
    }

    private static func listing(_ entries: String, next: String = "") -> String {
        "<?xml version=\"1.0\"?><EnumerationResults><Blobs>\(entries)</Blobs><NextMarker>\(next)</NextMarker>"
            + "</EnumerationResults>"
    }

    private static func blob(_ name: String, _ properties: String = "") -> String {
        "<Blob><Name>\(name)</Name><Properties><Content-Length>1</Content-Length>\(properties)</Properties></Blob>"
    }

    @Test("a listing that is none, or out of order, is an error; folders are passed over")
    func hierarchical() async throws {
        let proxy = try await FaultProxy(to: try await AzureScripted.shared.blobs.authority)
        let store = try AzureTestServer.store(
            AzureTestServer.variables(proxy.authority, ["AZURE_STORAGE_ACCESS_KEY": AzureTestServer.key]), prefix: "p")
        func list(_ body: String) async throws -> [String] {
            try await proxy.set(.content(200, body).on("GET", times: 9))
            return try await store.list(prefix: "", delimiter: nil, after: nil, limit: 9).objects.map(\.key.text)
        }
        let folder = Self.blob("p/a", "<ResourceType>directory</ResourceType>")
        #expect(try await list(Self.listing(folder + Self.blob("p/a/b"))) == ["a/b"])
        let failure = await expectFailure(.invalid) {
            _ = try await list(Self.listing(Self.blob("p/a/b") + Self.blob("p/a-")))
        }
        #expect(failure?.description.contains("hierarchical namespace") == true)
        for broken in [
            "", "<EnumerationResults/>", Self.listing("<Blob/>"), Self.listing("<Blob><Name>p/a</Name></Blob>"),
        ] {
            await expectFailure(.corrupt) { _ = try await list(broken) }
        }
        await expectFailure(.corrupt) { _ = try await list(Self.listing(Self.blob("elsewhere"))) }
        await expectFailure(.corrupt) { _ = try await list(Self.listing(Self.blob("p/a"), next: "2!x")) }
    }
}
