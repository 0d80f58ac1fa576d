import Foundation
import StorageURI
import Synchronization
import Testing

@Suite("credentials of swift")
struct SwiftCredentialTests {
    private static let v3 = "https://keystone.example:5000/v3"

    /// The body of the request, by what it holds.
    private func sent(_ variables: [String: String], role: StorageRole? = nil) async throws -> (String, String) {
        let fetcher = ScriptedFetcher(responding: { _ in keystoneAnswer() })
        _ = try await swiftToken(variables, role: role, fetcher)
        let request = try #require(fetcher.requests.last)
        return (request.url, request.text)
    }

    @Test(
        "version 3: what is set is what is sent",
        arguments: [
            // As WAL-G's users write it: no domain.
            (
                ["OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TENANT_NAME": "t"],
                """
                {"identity":{"methods":["password"],"password":{"user":{"domain":{"id":"default"},"name":"u",\
                "password":"p"}}},"scope":{"project":{"domain":{"id":"default"},"name":"t"}}}
                """
            ),
            (
                [
                    "OS_USERNAME": "u", "OS_PASSWORD": "p\"\\", "OS_PROJECT_NAME": "t", "OS_USER_DOMAIN_NAME": "D",
                ],
                """
                {"identity":{"methods":["password"],"password":{"user":{"domain":{"name":"D"},"name":"u",\
                "password":"p\\"\\\\"}}},"scope":{"project":{"domain":{"name":"D"},"name":"t"}}}
                """
            ),
            (
                [
                    "OS_USER_ID": "1", "OS_PASSWORD": "p", "OS_TENANT_NAME": "t", "OS_PROJECT_DOMAIN_ID": "e",
                    "OS_DEFAULT_DOMAIN": "f",
                ],
                """
                {"identity":{"methods":["password"],"password":{"user":{"id":"1","password":"p"}}},\
                "scope":{"project":{"domain":{"id":"e"},"name":"t"}}}
                """
            ),
            (
                ["OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_PROJECT_ID": "7", "OS_TENANT_NAME": "t"],
                """
                {"identity":{"methods":["password"],"password":{"user":{"domain":{"id":"default"},"name":"u",\
                "password":"p"}}},"scope":{"project":{"id":"7"}}}
                """
            ),
            (
                ["OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TRUST_ID": "t1"],
                """
                {"identity":{"methods":["password"],"password":{"user":{"domain":{"id":"default"},"name":"u",\
                "password":"p"}}},"scope":{"OS-TRUST:trust":{"id":"t1"}}}
                """
            ),
            (
                ["OS_APPLICATION_CREDENTIAL_ID": "a", "OS_APPLICATION_CREDENTIAL_SECRET": "s", "OS_TENANT_NAME": "t"],
                """
                {"identity":{"application_credential":{"id":"a","secret":"s"},"methods":["application_credential"]}}
                """
            ),
            (
                [
                    "OS_APPLICATION_CREDENTIAL_NAME": "n", "OS_APPLICATION_CREDENTIAL_SECRET": "s", "OS_USERNAME": "u",
                    "OS_PASSWORD": "p",
                ],
                """
                {"identity":{"application_credential":{"name":"n","secret":"s","user":{"domain":{"id":"default"},\
                "name":"u"}},"methods":["application_credential"]}}
                """
            ),
            (
                ["OS_TOKEN": "tok", "OS_TENANT_NAME": "t", "OS_AUTH_TYPE": "v3token", "OS_USERNAME": "u"],
                """
                {"identity":{"methods":["token"],"token":{"id":"tok"}},\
                "scope":{"project":{"domain":{"id":"default"},"name":"t"}}}
                """
            ),
        ])
    func version3(variables: [String: String], body: String) async throws {
        let (url, text) = try await sent(variables.merging(["OS_AUTH_URL": Self.v3]) { $1 })
        #expect(url == "\(Self.v3)/auth/tokens")
        #expect(text == "{\"auth\":\(body)}")
    }

    @Test("the catalogue tells the account's address, by region and interface")
    func catalogue() async throws {
        let fetcher = ScriptedFetcher(responding: { _ in keystoneAnswer() })
        let base = ["OS_AUTH_URL": Self.v3, "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TENANT_NAME": "t"]
        let found = try await swiftToken(base, fetcher)
        #expect(found.token.reveal() == "gAAAtoken" && found.storageURL == "https://one.example/v1/AUTH_p")
        #expect(found.source == "OS_USERNAME (user u, project t)")
        #expect(found.expiration == Date(timeIntervalSince1970: 1_893_456_000))
        func url(_ more: [String: String]) async throws -> String {
            try await swiftToken(base.merging(more) { $1 }, fetcher).storageURL
        }
        #expect(try await url(["OS_REGION_NAME": "two"]) == "https://two.example/v1/AUTH_p")
        #expect(try await url(["OS_INTERFACE": "internal"]) == "http://one.internal:8080/v1/AUTH_p")
        #expect(try await url(["OS_STORAGE_URL": "https://mine/v1/AUTH_x"]) == "https://mine/v1/AUTH_x")
        let nowhere = await swiftRefusal(base.merging(["OS_REGION_NAME": "three"]) { $1 }, fetcher)
        #expect(nowhere.contains("OS_REGION_NAME") && nowhere.contains("public in one, internal in one, public in two"))
        let empty = ScriptedFetcher(responding: { _ in keystoneAnswer(catalog: "[]") })
        var unscoped = base
        unscoped["OS_TENANT_NAME"] = nil
        #expect(await swiftRefusal(unscoped, empty).contains("name the project in OS_TENANT_NAME"))
    }

    @Test("version 2, and the same choices")
    func version2() async throws {
        let fetcher = ScriptedFetcher(responding: { _ in keystoneV2Answer() })
        let base = [
            "OS_AUTH_URL": "https://k:5000/v2.0/", "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TENANT_NAME": "t",
            "OS_REGION_NAME": "two",
        ]
        let found = try await swiftToken(base, fetcher)
        #expect(found.token.reveal() == "v2token" && found.storageURL == "https://two.example/v1/AUTH_p")
        #expect(fetcher.requests.last?.url == "https://k:5000/v2.0/tokens")
        #expect(
            fetcher.requests.last?.text
                == "{\"auth\":{\"passwordCredentials\":{\"password\":\"p\",\"username\":\"u\"},\"tenantName\":\"t\"}}")
        let token = ["OS_AUTH_URL": "https://k/v2.0", "OS_AUTH_TOKEN": "x", "OS_TENANT_ID": "7"]
        _ = try await swiftToken(token, fetcher)
        #expect(fetcher.requests.last?.text == "{\"auth\":{\"tenantId\":\"7\",\"token\":{\"id\":\"x\"}}}")
        let internally = try await swiftToken(
            base.merging(["GOSWIFT_INTERNAL": "1", "OS_REGION_NAME": "one"]) { $1 }, fetcher)
        #expect(internally.storageURL == "http://one.internal/v1/AUTH_p")
    }

    @Test("version 1: name and key in the head")
    func version1() async throws {
        let fetcher = ScriptedFetcher(responding: { _ in
            HTTPFetchResponse(
                status: 204,
                headers: [
                    ("x-storage-url", "https://s.example/v1/AUTH_a"), ("x-auth-token", "tk"),
                    ("x-auth-token-expires", "3600"),
                ], body: [])
        })
        let base = ["ST_AUTH": "https://s.example/auth/v1.0", "ST_USER": "a:u", "ST_KEY": "k"]
        let found = try await swiftToken(base, fetcher)
        #expect(found.token.reveal() == "tk" && found.storageURL == "https://s.example/v1/AUTH_a")
        #expect(found.expiration == HandClock().now + 3600 && found.source == "ST_USER (user a:u)")
        let request = try #require(fetcher.requests.last)
        #expect(request.url == "https://s.example/auth/v1.0" && request.method == "GET")
        #expect(request.header("X-Auth-User") == "a:u" && request.header("X-Auth-Key") == "k")
        let internally = try await swiftToken(base.merging(["GOSWIFT_INTERNAL": "true"]) { $1 }, fetcher)
        #expect(internally.storageURL == "https://snet-s.example/v1/AUTH_a")
        // The other names do as well.
        let other = ["OS_AUTH_URL": "https://s/auth/v1.0", "OS_USERNAME": "a:u", "OS_PASSWORD": "k"]
        _ = try await swiftToken(other, fetcher)
        #expect(fetcher.requests.last?.header("X-Auth-User") == "a:u")
        let broken = await swiftRefusal(base.merging(["ST_KEY": "hunter2\nX: y"]) { $1 }, fetcher)
        #expect(broken.contains("line break") && !broken.contains("hunter2"))
    }

    @Test(
        "without a version in the address the service is asked",
        arguments: [
            ("{\"versions\": {\"values\": [{\"id\": \"v3.14\"}, {\"id\": \"v2.0\"}]}}", "/v3/auth/tokens"),
            ("{\"versions\": {\"values\": [{\"id\": \"v2.0\"}]}}", "/v2.0/tokens"), ("not found", "/v3/auth/tokens"),
        ])
    func discovery(answer: String, path: String) async throws {
        let fetcher = ScriptedFetcher(responding: { request in
            if request.method == "GET" { return HTTPFetchResponse(status: 300, body: Array(answer.utf8)) }
            return request.url.hasSuffix("/auth/tokens") ? keystoneAnswer() : keystoneV2Answer()
        })
        _ = try await swiftToken(
            ["OS_AUTH_URL": "https://k/identity/", "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TENANT_NAME": "t"],
            fetcher)
        #expect(fetcher.requests.map(\.url) == ["https://k/identity", "https://k/identity\(path)"])
    }

    @Test("a token and the account's address are used as they are, until they are refused")
    func given() async throws {
        let fetcher = ScriptedFetcher(responding: { _ in keystoneAnswer("new") })
        let base = ["OS_AUTH_TOKEN": "given", "OS_STORAGE_URL": "https://s/v1/AUTH_a"]
        func source(_ variables: [String: String]) -> SwiftTokenSource {
            SwiftTokenSource(
                environment: RoleEnvironment(variables, role: nil), http: fetcher, pause: .milliseconds(1),
                now: { HandClock().now })
        }
        let alone = source(base)
        for refresh in [false, true, false] {
            #expect(try await alone.token(refresh: refresh).token.reveal() == "given")
        }
        #expect(fetcher.requests.isEmpty)
        let login = ["OS_AUTH_URL": Self.v3, "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TENANT_NAME": "t"]
        let both = source(base.merging(login) { $1 })
        #expect(try await both.token(refresh: false).token.reveal() == "given")
        let renewed = try await both.token(refresh: true)
        #expect(renewed.token.reveal() == "new" && renewed.storageURL == "https://s/v1/AUTH_a")
    }

    @Test("tokens are replaced before they end, and kept when the identity service is away")
    func renewal() async throws {
        let clock = HandClock()
        let isAway = Flag()
        let fetcher = ScriptedFetcher(responding: { _ in
            if isAway.isSet { throw NoAnswer() }
            return keystoneAnswer(expires: clock.time(in: 3600))
        })
        let source = SwiftTokenSource(
            environment: RoleEnvironment(
                ["OS_AUTH_URL": Self.v3, "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TENANT_NAME": "t"], role: nil),
            http: fetcher, pause: .milliseconds(1), now: { clock.now })
        for _ in 0..<3 { _ = try await source.token(refresh: false) }
        #expect(fetcher.requests.count == 1)
        clock.advance(3400)
        _ = try await source.token(refresh: false)
        #expect(fetcher.requests.count == 2)
        clock.advance(3400)
        isAway.set()
        _ = try await source.token(refresh: false)
        clock.advance(300)
        await #expect(throws: SwiftIdentityUnavailable.self) { try await source.token(refresh: false) }
    }

    @Test("refusals and failures are told apart, without secrets")
    func failures() async {
        let base = ["OS_AUTH_URL": Self.v3, "OS_USERNAME": "u", "OS_PASSWORD": "hunter2", "OS_TENANT_NAME": "t"]
        let refusing = ScriptedFetcher(responding: { _ in keystoneRefusal("no hunter2 here") })
        let refused = await swiftRefusal(base, refusing)
        #expect(refused.contains("refuses user u, project t (401: no <redacted> here)"), "\(refused)")
        #expect(refusing.requests.count == 1)
        let failing = ScriptedFetcher { _ in (503, "") }
        await #expect(throws: SwiftIdentityUnavailable.self) { try await swiftToken(base, failing) }
        #expect(failing.requests.count == 3)
        let odd = ScriptedFetcher { _ in (201, "<html/>") }
        #expect(await swiftRefusal(base, odd).contains("not the JSON expected"))
        for (variables, part) in [
            (["OS_USERNAME": "u"], "OS_USERNAME: is set, but OS_PASSWORD is not"),
            (["OS_PASSWORD": "hunter2"], "OS_PASSWORD: is set, but OS_USERNAME is not"),
            (["OS_APPLICATION_CREDENTIAL_ID": "a"], "but OS_APPLICATION_CREDENTIAL_SECRET is not"),
            (
                ["OS_APPLICATION_CREDENTIAL_NAME": "a", "OS_APPLICATION_CREDENTIAL_SECRET": "s"],
                "but OS_USERNAME is not"
            ),
            (["OS_APPLICATION_CREDENTIAL_SECRET": "s"], "but OS_APPLICATION_CREDENTIAL_ID is not"),
            (["OS_AUTH_TYPE": "v3oidcpassword"], "not supported"),
            ([:], "set OS_USERNAME and OS_PASSWORD, or OS_APPLICATION_CREDENTIAL_ID"),
        ] {
            let text = await swiftRefusal(variables.merging(["OS_AUTH_URL": Self.v3]) { $1 })
            #expect(text.contains(part) && !text.contains("hunter2"), "\(text)")
        }
        #expect(
            await swiftRefusal(["OS_STORAGE_URL": "https://s/v1/A", "OS_USERNAME": "u", "OS_PASSWORD": "p"])
                .contains("OS_AUTH_URL, which says where to log in, is not"))
        #expect(
            await swiftRefusal(["ST_AUTH": "https://s/auth/v1.0", "ST_USER": "u"]).contains("but ST_KEY is not"))
    }

    @Test("a cloud's entry is one set; only secrets may stand beside it")
    func cloud() async throws {
        let clouds = """
            clouds:
              backup:
                auth: {auth_url: "\(Self.v3)", username: u, project_id: 0123, user_domain_id: d, password: null}
              app:
                auth_type: v3applicationcredential
                auth: {auth_url: "\(Self.v3)", application_credential_id: a, application_credential_secret: s}
            """
        let home = try CloudsHome(clouds: clouds, secure: "clouds: {app: {auth: {application_credential_secret: 007}}}")
        defer { withExtendedLifetime(home) {} }
        let base = ["HOME": home.path, "OS_CLOUD": "backup", "OS_USERNAME": "other", "OS_TENANT_NAME": "other"]
        let (_, text) = try await sent(base.merging(["OS_PASSWORD": "p"]) { $1 })
        #expect(text.contains("\"domain\":{\"id\":\"d\"},\"name\":\"u\",\"password\":\"p\""))
        #expect(text.contains("\"project\":{\"id\":\"0123\"}"))
        #expect(
            await swiftRefusal(base).contains("username of cloud backup: is set, but password of cloud backup is not"))
        let (_, application) = try await sent(["HOME": home.path, "OS_CLOUD": "app"])
        #expect(application.contains("\"secret\":\"007\""))
    }

    @Test("a role's credentials are one set, and go to no stranger")
    func roles() async throws {
        let base = ["OS_AUTH_URL": Self.v3, "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TENANT_NAME": "t"]
        #expect(try await sent(base, role: .snapshot).1.contains("\"name\":\"u\""))
        let half = base.merging(["SNAPSHOT_OS_USERNAME": "mine"]) { $1 }
        #expect(await swiftRefusal(half, role: .snapshot).contains("but SNAPSHOT_OS_PASSWORD is not"))
        let project = base.merging(["SNAPSHOT_OS_TENANT_NAME": "other"]) { $1 }
        #expect(await swiftRefusal(project, role: .snapshot).contains("SNAPSHOT_OS_USERNAME: not set"))
        let own = half.merging(["SNAPSHOT_OS_PASSWORD": "q", "SNAPSHOT_OS_PROJECT_NAME": "s"]) { $1 }
        let (url, text) = try await sent(own, role: .snapshot)
        #expect(url == "\(Self.v3)/auth/tokens" && text.contains("\"name\":\"mine\",\"password\":\"q\""))
        #expect(text.contains("\"name\":\"s\"") && !text.contains("\"t\""))
        for name in ["OS_AUTH_URL", "OS_STORAGE_URL", "ST_AUTH"] {
            let stranger = base.merging(["SNAPSHOT_\(name)": "https://stranger/v3"]) { $1 }
            let fetcher = ScriptedFetcher(responding: { _ in keystoneAnswer() })
            let refused = await swiftRefusal(stranger, role: .snapshot, fetcher)
            #expect(refused.contains("SNAPSHOT_\(name) names a service of its own"), "\(refused)")
            #expect(fetcher.requests.isEmpty)
            #expect(
                await swiftRefusal(stranger, role: .storage, ScriptedFetcher(responding: { _ in keystoneAnswer() }))
                    == "")
        }
        let inherited = base.merging(["SNAPSHOT_OS_AUTH_URL": "https://other/v3", "SNAPSHOT_CREDENTIALS": "inherit"]) {
            $1
        }
        #expect(try await sent(inherited, role: .snapshot).0 == "https://other/v3/auth/tokens")
        // The account's address is part of an identity: a role with its own does not take it from another.
        let fetcher = ScriptedFetcher(responding: { _ in keystoneAnswer() })
        let account = own.merging(["OS_STORAGE_URL": "https://s/v1/AUTH_theirs"]) { $1 }
        #expect(try await swiftToken(account, role: .snapshot, fetcher).storageURL == "https://one.example/v1/AUTH_p")
    }
}

/// False until it is set.
private final class Flag: Sendable {
    private let state = Mutex(false)
    var isSet: Bool { state.withLock { $0 } }
    func set() { state.withLock { $0 = true } }
}
