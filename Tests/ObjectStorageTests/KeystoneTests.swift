import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// Ways of logging in, at a real identity service and the storage behind it.
@Suite("Swift behind Keystone", .enabled(if: TestSelection.allStorages), .timeLimit(.minutes(15)))
struct KeystoneTests {
    private func works(_ store: any ObjectStore) async throws {
        try await store.put("a", .bytes([1, 2]), mode: .createOnly)
        #expect(try await store.get("a") == [1, 2])
        try await store.delete(["a"])
        #expect(try await store.isEmpty())
    }

    /// The variables of user `lab`, with others in their place.
    private func environment(
        _ more: [String: String] = [:], without removed: [String] = []
    ) async throws -> [String: String] {
        var environment = try await KeystoneTestServer.shared.environment
        for name in removed { environment[name] = nil }
        return environment.merging(more) { $1 }
    }

    /// A store as programs open it.
    private func opened(_ environment: [String: String]) throws -> any ObjectStore {
        try ObjectStores.open(
            StorageLocation(scheme: .swift, container: "zenith-test", path: uniquePrefix()),
            environment: RoleEnvironment(environment, role: .storage))
    }

    @Test("every way of logging in opens the storage")
    func ways() async throws {
        let server = try await KeystoneTestServer.shared
        _ = try await server.store(prefix: uniquePrefix())  // makes the container
        let unversioned = String(server.url.dropLast("/v3".count))
        let noPassword = ["OS_USERNAME", "OS_PASSWORD", "OS_TENANT_NAME"]
        let token = try await SwiftTokenSource(
            environment: RoleEnvironment(try await environment(), role: nil), http: HTTPTransport()
        ).token(refresh: false)
        let ways: [[String: String]] = [
            try await environment(),
            try await environment(["OS_AUTH_URL": unversioned]),
            try await environment(["OS_AUTH_URL": "\(unversioned)/"]),
            try await environment(["OS_INTERFACE": "internal"]),
            try await environment(
                ["OS_USER_ID": server.userID, "OS_PROJECT_ID": server.projectID], without: ["OS_USERNAME"]),
            try await environment(["OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"]),
            try await environment(
                [
                    "OS_APPLICATION_CREDENTIAL_ID": server.applicationCredentialID,
                    "OS_APPLICATION_CREDENTIAL_SECRET": server.secret,
                ], without: noPassword),
            try await environment(
                [
                    "OS_APPLICATION_CREDENTIAL_NAME": "backup", "OS_APPLICATION_CREDENTIAL_SECRET": server.secret,
                    "OS_AUTH_TYPE": "v3applicationcredential",
                ], without: ["OS_PASSWORD", "OS_TENANT_NAME"]),
            try await environment(["OS_AUTH_TOKEN": token.token.reveal()], without: ["OS_USERNAME", "OS_PASSWORD"]),
            ["OS_AUTH_TOKEN": token.token.reveal(), "OS_STORAGE_URL": token.storageURL],
            try await environment([
                "STORAGE_OS_PASSWORD": server.secret, "STORAGE_OS_USERNAME": "lab",
                "STORAGE_OS_PROJECT_NAME": "lab", "OS_PASSWORD": "wrong",
            ]),
        ]
        for way in ways {
            let store = try opened(way)
            await #expect(throws: Never.self, "\(way)") { try await works(store) }
        }
    }

    @Test("an environment of WAL-G's works as it is")
    func fromWALG() async throws {
        _ = try await KeystoneTestServer.shared.store(prefix: uniquePrefix())
        let variables = try await environment(["WALG_SWIFT_PREFIX": "swift://zenith-test/\(uniquePrefix())"])
        let environment = RoleEnvironment(variables, role: .storage)
        let location = try StorageLocation.resolve(
            "SWIFT_PREFIX", environment: environment, currentDirectory: "/"
        ).location
        let backend = ObjectStores.backend(location.scheme)
        let inspection = try backend.inspect(location, environment)
        #expect(inspection.warnings.isEmpty)
        let found = try await backend.findCredentials(location, environment, http: nil)
        #expect(found == "OS_USERNAME (user lab, project lab), temporary")
        #expect(MisspelledVariables(ObjectStores.variables).find(in: variables).isEmpty)
        for fact in await StorageProbe.run(try backend.open(location, environment)) {
            #expect(fact.ok, "\(fact.name): \(fact.detail)")
        }
    }

    @Test("wrong credentials are refused, and said to be")
    func wrong() async throws {
        let ways: [[String: String]] = [
            try await environment(["OS_PASSWORD": "hunter2"]), try await environment(["OS_USERNAME": "nobody"]),
            try await environment(["OS_TENANT_NAME": "service"]),
            try await environment(["OS_USER_DOMAIN_NAME": "Elsewhere"]),
            try await environment(["OS_APPLICATION_CREDENTIAL_ID": "x", "OS_APPLICATION_CREDENTIAL_SECRET": "hunter2"]),
            try await environment(["OS_AUTH_TOKEN": "hunter2"], without: ["OS_USERNAME", "OS_PASSWORD"]),
            // A user without a project has no storage.
            try await environment(without: ["OS_TENANT_NAME"]),
        ]
        for way in ways {
            let store = try opened(way)
            let failure = await expectFailure(.denied) { try await store.get("a") }
            #expect(failure?.description.contains("hunter2") == false, "\(failure?.description ?? "")")
        }
    }

    @Test("a token that is revoked is replaced at the next call")
    func revoked() async throws {
        let server = try await KeystoneTestServer.shared
        let store = try await server.store(prefix: uniquePrefix())
        try await store.put("a", .bytes([1]), mode: .createOnly)
        let token = try await store.client.tokens.token(refresh: false).token.reveal()
        let revoked = try await HTTPTransport().send(
            HTTPRequest(
                method: "DELETE", url: "\(server.url)/auth/tokens",
                headers: [("X-Auth-Token", token), ("X-Subject-Token", token)]))
        #expect(revoked.status == 204)
        #expect(try await store.get("a") == [1])
        #expect(try await store.client.tokens.token(refresh: false).token.reveal() != token)
        // The very token is of no use any more.
        let given = try opened([
            "OS_AUTH_TOKEN": token, "OS_STORAGE_URL": try await store.client.tokens.token(refresh: false).storageURL,
        ])
        await expectFailure(.denied) { try await given.get("a") }
    }

    @Test("the region decides where requests go")
    func region() async throws {
        let other = try opened(try await environment(["OS_REGION_NAME": "other-region", "GOSWIFT_RETRIES": "0"]))
        let failure = await expectFailure(.unavailable) { try await other.get("a") }
        #expect(failure?.description.contains("cannot reach other.invalid") == true, "\(failure?.description ?? "")")
        let none = try opened(try await environment(["OS_REGION_NAME": "none"]))
        let refused = await expectFailure(.denied) { try await none.get("a") }
        #expect(refused?.description.contains("no public object-store in region") == true)
    }

    @Test("an identity service that is away is told as such, and may come back")
    func away() async throws {
        let port = try TestServer.freePort()
        let store = try opened(
            try await environment(["OS_AUTH_URL": "http://127.0.0.1:\(port)/v3", "GOSWIFT_RETRIES": "1"]))
        let failure = await expectFailure(.unavailable) { try await store.get("a") }
        #expect(failure?.description.contains("the identity service at http://127.0.0.1:\(port)/v3") == true)
    }

    @Test("version 2 is spoken as its stand-in understands it")
    func version2() async throws {
        let url = try await MimicTestServer.url
        let source = SwiftTokenSource(
            environment: RoleEnvironment(
                [
                    "OS_AUTH_URL": url, "OS_USERNAME": "zenith", "OS_PASSWORD": "any", "OS_REGION_NAME": "ORD",
                ], role: nil), http: HTTPTransport())
        let token = try await source.token(refresh: false)
        #expect(!token.token.isEmpty && token.expiration != nil)
        #expect(token.storageURL.hasPrefix("http://127.0.0.1:"), "\(token.storageURL)")
    }
}
