import Foundation
import Testing

@testable import StorageURI

/// Runs the chain over variables and answers that a test gives.
func googleChain(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher(),
    clock: HandClock = HandClock()
) throws -> GoogleCredentialChain {
    let environment = RoleEnvironment(variables, role: role)
    return GoogleCredentialChain(
        environment: environment, settings: try GoogleCloudSettings(environment: environment), http: fetcher,
        pause: .milliseconds(1), now: { clock.now })
}

func googleToken(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async throws -> GoogleToken { try await googleChain(variables, role: role, fetcher).token(refresh: false) }

/// The message of a chain that gives nothing; "" when it gives something.
private func googleFailure(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async -> String {
    do {
        _ = try await googleToken(variables, role: role, fetcher)
        return ""
    } catch { return "\(error)" }
}

@Suite("credentials of gs: sources")
struct GoogleCredentialTests {
    private static let user = """
        {"type": "authorized_user", "client_id": "cid", "client_secret": "hunter2", "refresh_token": "hunter3",
         "quota_project_id": "billed", "account": ""}
        """
    private static let answer = "{\"access_token\": \"made\", \"expires_in\": 3599, \"token_type\": \"Bearer\"}"

    private static func service(_ members: [String: String] = [:]) throws -> String {
        var file = [
            "type": "service_account", "client_email": "zenith@test", "private_key_id": "kid",
            "private_key": try GoogleSignatureCase.exampleKey(), "universe_domain": "googleapis.com",
        ]
        file.merge(members) { $1 }
        return String(decoding: try JSONEncoder().encode(file), as: UTF8.self)
    }

    @Test("the file that is named goes before gcloud's, and that before the instance")
    func order() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let fetcher = ScriptedFetcher { request in
            request.url.hasSuffix("/email") ? (200, "machine@test") : (200, Self.answer)
        }
        let instance = try await googleToken(["HOME": home.path], fetcher)
        #expect(instance.source == "instance metadata (service account machine@test)")
        let base = "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default"
        #expect(fetcher.requests.map(\.url) == ["\(base)/token", "\(base)/email"])
        #expect(fetcher.requests.allSatisfy { $0.header("Metadata-Flavor") == "Google" })

        let usual = try home.write(Self.user, to: ".config/gcloud/application_default_credentials.json")
        let found = try await googleToken(["HOME": home.path], fetcher)
        #expect(found.source.hasPrefix("application default credentials in \(usual) (user, login "))
        #expect(found.accessToken?.reveal() == "made" && found.quotaProject == "billed")
        let request = try #require(fetcher.requests.last)
        #expect(request.url == "https://oauth2.googleapis.com/token" && request.method == "POST")
        #expect(request.text == "grant_type=refresh_token&client_id=cid&client_secret=hunter2&refresh_token=hunter3")

        let elsewhere = try home.write(Self.user, to: "sdk/application_default_credentials.json")
        let moved = try await googleToken(["HOME": "/nonexistent", "CLOUDSDK_CONFIG": home.path + "/sdk"], fetcher)
        #expect(moved.source.contains(elsewhere))

        let file = try home.write(try Self.service(), to: "service.json")
        let named = try await googleToken(["HOME": home.path, "GOOGLE_APPLICATION_CREDENTIALS": file], fetcher)
        #expect(named.source == "GOOGLE_APPLICATION_CREDENTIALS (service account zenith@test)")
    }

    @Test("a service account signs for its token")
    func serviceAccount() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let clock = HandClock()
        let fetcher = ScriptedFetcher { _ in (200, Self.answer) }
        let file = try home.write(try Self.service(["quota_project_id": "p"]), to: "f")
        let chain = try googleChain(["GOOGLE_APPLICATION_CREDENTIALS": file], fetcher, clock: clock)
        let found = try await chain.token(refresh: false)
        #expect(found.expiration == clock.now + 3599 && found.quotaProject == "p")
        let request = try #require(fetcher.requests.first)
        #expect(request.text.hasPrefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey"))
        let claims = try #require(request.text.split(separator: ".").dropFirst().first)
        let text = String(decoding: try #require(Data(base64Encoded: padded(claims))), as: UTF8.self)
        #expect(text.contains("\"iat\": 1800000000, \"exp\": 1800003600, \"iss\": \"zenith@test\""))
        #expect(text.contains("\"scope\": \"https://www.googleapis.com/auth/devstorage.read_write\""))
    }

    private func padded(_ text: Substring) -> String {
        let plain = text.replacing("-", with: "+").replacing("_", with: "/")
        return plain + String(repeating: "=", count: (4 - plain.count % 4) % 4)
    }

    @Test("what cannot be used is refused with its reason, without a secret, and the next source is not asked")
    func refusals() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let fetcher = ScriptedFetcher { _ in (200, Self.answer) }
        func expect(_ content: String, _ part: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let file = try home.write(content, to: "f")
            let text = await googleFailure(["GOOGLE_APPLICATION_CREDENTIALS": file], fetcher)
            #expect(text.contains(part), "\(text)", sourceLocation: sourceLocation)
            #expect(text.contains("GOOGLE_APPLICATION_CREDENTIALS") && !text.contains("PRIVATE KEY"))
            #expect(!text.contains("hunter"), sourceLocation: sourceLocation)
        }
        #expect(
            await googleFailure(["GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent"], fetcher).contains("no such file"))
        try await expect("not JSON: hunter2", "not one of Google's credentials")
        try await expect("{}", "the file has no type")
        try await expect("{\"type\": \"gdch_service_account\"}", "“gdch_service_account” are not supported")
        try await expect(
            try Self.service(["private_key": "nonsense"]), "private_key cannot be used: it is no private key")
        try await expect(try Self.service(["client_email": ""]), "the file has no client_email")
        try await expect(try Self.service(["token_uri": "http://example.com/token"]), "must be https")
        try await expect(try Self.service(["universe_domain": "example.com"]), "the cloud “example.com”")
        try await expect("{\"type\": \"impersonated_service_account\"}", "no source_credentials")
        func source(_ text: String) -> String {
            "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"token_url\":\"https://sts\",\"credential_source\":\(text)}"
        }
        try await expect(
            source("{\"executable\":{\"command\":\"/bin/true\"}}"), "an executable, which is not supported")
        try await expect(
            source("{\"environment_id\":\"aws1\",\"url\":\"http://169.254.169.254/\"}"), "environment “aws1”")
        try await expect(source("{\"certificate\":{}}"), "a certificate, which is not supported")
        try await expect(source("{\"file\":\"/nonexistent\"}"), "no such file")
        try await expect(source("{\"url\":\"http://example.com/token\"}"), "must be https")
        #expect(fetcher.requests.isEmpty)
    }

    @Test("a refusal is told in the service's words, without what was sent")
    func serviceRefuses() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let file = try home.write(Self.user, to: "f")
        let refusing = ScriptedFetcher { _ in
            (400, "{\"error\": \"invalid_grant\", \"error_description\": \"bad hunter3\"}")
        }
        let text = await googleFailure(["GOOGLE_APPLICATION_CREDENTIALS": file], refusing)
        #expect(text.contains("oauth2.googleapis.com answered 400 invalid_grant: bad <redacted>"), "\(text)")
        #expect(refusing.requests.count == 1, "a refusal is not repeated")
        let skewed = ScriptedFetcher { _ in
            (400, "{\"error\": \"invalid_grant\", \"error_description\": \"Invalid JWT: check your iat and exp\"}")
        }
        #expect(
            await googleFailure(["GOOGLE_APPLICATION_CREDENTIALS": file], skewed)
                .contains("the clock here says 2027-01-15T08:00:00Z"))
        let flaky = ScriptedFetcher { _ in (503, "") }
        #expect(await googleFailure(["GOOGLE_APPLICATION_CREDENTIALS": file], flaky).contains("answered 503"))
        #expect(flaky.requests.count == 3)
        let empty = ScriptedFetcher { _ in (200, "{\"access_token\": \"with space\"}") }
        #expect(await googleFailure(["GOOGLE_APPLICATION_CREDENTIALS": file], empty).contains("holds no token"))
    }

    @Test("the instance's metadata, where it is said to be, or not at all")
    func instance() async throws {
        let fetcher = ScriptedFetcher { _ in (200, Self.answer) }
        for name in ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"] {
            _ = try await googleToken([name: "127.0.0.1:8080"], fetcher)
            #expect(fetcher.requests.last?.url.hasPrefix("http://127.0.0.1:8080/computeMetadata/v1/") == true)
        }
        let off = await googleFailure(["NO_GCE_CHECK": "true"], fetcher)
        #expect(off.contains("turned off by NO_GCE_CHECK"))
        let named = await googleFailure(["GCE_METADATA_HOST": "127.0.0.1:1"])
        #expect(named.hasPrefix("instance metadata: no answer"), "\(named)")
        let none = await googleFailure(["HOME": "/nonexistent"])
        for part in [
            "GOOGLE_APPLICATION_CREDENTIALS: not set",
            "no file “/nonexistent/.config/gcloud/application_default_credentials.json”",
            "instance metadata: no answer: connection refused from 169.254.169.254",
            "set GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth",
        ] { #expect(none.contains(part), "\(none)") }
        let foreign = ScriptedFetcher { _ in (404, "<html>") }
        #expect(await googleFailure([:], foreign).contains("gives no token (404)"))
    }

    @Test("two roles, two identities")
    func roles() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let fetcher = ScriptedFetcher { _ in (200, Self.answer) }
        let plain = try home.write(try Self.service(["client_email": "plain@test"]), to: "plain")
        let own = try home.write(try Self.service(["client_email": "own@test"]), to: "own")
        let base = ["GOOGLE_APPLICATION_CREDENTIALS": plain, "HOME": home.path]
        let both = base.merging(["SNAPSHOT_GOOGLE_APPLICATION_CREDENTIALS": own]) { $1 }
        #expect(
            try await googleToken(both, role: .snapshot, fetcher).source
                == "SNAPSHOT_GOOGLE_APPLICATION_CREDENTIALS (service account own@test)")
        #expect(try await googleToken(both, role: .storage, fetcher).source.contains("plain@test"))

        let foreign = base.merging(["SNAPSHOT_CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": "https://stranger"]) { $1 }
        let text = await googleFailure(foreign, role: .snapshot, fetcher)
        #expect(text.contains("names a service of its own") && text.contains("SNAPSHOT_CREDENTIALS=inherit"), "\(text)")
        let inherit = foreign.merging(["SNAPSHOT_CREDENTIALS": "inherit"]) { $1 }
        #expect(try await googleToken(inherit, role: .snapshot, fetcher).source.contains("plain@test"))

        // A role of its own has neither gcloud's file nor the instance's account.
        _ = try home.write(Self.user, to: ".config/gcloud/application_default_credentials.json")
        let directory = base.merging(["SNAPSHOT_CLOUDSDK_CONFIG": "/nonexistent"]) { $1 }
        let none = await googleFailure(directory, role: .snapshot, fetcher)
        #expect(
            none.contains("no file “/nonexistent/") && none.contains("instance metadata: not for this role"), "\(none)")
    }

    @Test("an emulator is asked without credentials, unless a file of them is named; none go out unencrypted")
    func emulator() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let fetcher = ScriptedFetcher { _ in (200, Self.answer) }
        _ = try home.write(Self.user, to: ".config/gcloud/application_default_credentials.json")
        let emulator = ["HOME": home.path, "STORAGE_EMULATOR_HOST": "127.0.0.1:9"]
        #expect(try await googleToken(emulator, fetcher).accessToken == nil)
        let own = ["SNAPSHOT_STORAGE_EMULATOR_HOST": "127.0.0.1:9", "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent"]
        #expect(try await googleToken(own, role: .snapshot, fetcher).accessToken == nil)
        #expect(fetcher.requests.isEmpty)
        let file = try home.write(Self.user, to: "f")
        let named = emulator.merging(["GOOGLE_APPLICATION_CREDENTIALS": file]) { $1 }
        #expect(try await googleToken(named, fetcher).accessToken?.reveal() == "made")
        let far = named.merging(["STORAGE_EMULATOR_HOST": "emulator:9"]) { $1 }
        #expect(await googleFailure(far, fetcher).contains("no token is sent to http://emulator:9"))
    }

    @Test("a token is replaced five minutes before its end, and on demand")
    func refresh() async throws {
        let clock = HandClock()
        let fetcher = ScriptedFetcher { request in
            request.url.hasSuffix("/email") ? (404, "") : (200, Self.answer)
        }
        let chain = try googleChain(["GCE_METADATA_HOST": "127.0.0.1:1"], fetcher, clock: clock)
        func tokens() -> Int { fetcher.requests.count { $0.url.hasSuffix("/token") } }
        _ = try await chain.token(refresh: false)
        clock.advance(3298)
        _ = try await chain.token(refresh: false)
        #expect(tokens() == 1)
        clock.advance(2)
        _ = try await chain.token(refresh: false)
        #expect(tokens() == 2)
        _ = try await chain.token(refresh: true)
        #expect(tokens() == 3)
    }
}
