import Foundation
import StorageURI
import Testing

@Suite("credentials of s3: two roles, two identities")
struct AWSIdentityTests {
    let unprefixed = [
        "AWS_ACCESS_KEY_ID": "AKPLAIN", "AWS_SECRET_ACCESS_KEY": "plain", "AWS_SESSION_TOKEN": "plain-token",
    ]

    private func with(_ variables: [String: String]) -> [String: String] { unprefixed.merging(variables) { $1 } }

    @Test("a role without anything of its own takes the unprefixed set")
    func inherited() async throws {
        #expect(try await keys(unprefixed, role: .snapshot).accessKeyID == "AKPLAIN")
        #expect(try await keys(with(["STORAGE_AWS_ACCESS_KEY_ID": "other"]), role: .snapshot).accessKeyID == "AKPLAIN")
    }

    @Test("a role with a key of its own takes no part of the other set")
    func ownSet() async throws {
        let own = with(["SNAPSHOT_AWS_ACCESS_KEY_ID": "AKOWN", "SNAPSHOT_AWS_SECRET_ACCESS_KEY": "own"])
        let found = try await keys(own, role: .snapshot)
        #expect(found.accessKeyID == "AKOWN" && found.secretAccessKey.reveal() == "own" && found.sessionToken == nil)
        #expect(found.source == "SNAPSHOT_AWS_ACCESS_KEY_ID")
        #expect(try await keys(own, role: .storage).accessKeyID == "AKPLAIN")
        let half = await failure(with(["SNAPSHOT_AWS_ACCESS_KEY_ID": "AKOWN"]), role: .snapshot)
        #expect(half.contains("SNAPSHOT_AWS_SECRET_ACCESS_KEY is not"), "\(half)")
        let role = try await keys(own.merging(["AWS_ROLE_ARN": "arn:x"]) { $1 }, role: .snapshot)
        #expect(role.accessKeyID == "AKOWN", "the other set's role is not assumed")
    }

    @Test("a role's own profile is read where profiles lie, and does not lead to the instance")
    func ownProfile() async throws {
        let home = try AWSHome(credentials: "[src]\naws_access_key_id=AKSRC\naws_secret_access_key=s\n[empty]\nx=1\n")
        defer { withExtendedLifetime(home) {} }
        let base = with(["HOME": home.path, "SNAPSHOT_AWS_PROFILE": "src"])
        #expect(try await keys(base, role: .snapshot).accessKeyID == "AKSRC")
        let fetcher = ScriptedFetcher { _ in (200, "session") }
        let text = await failure(base.merging(["SNAPSHOT_AWS_PROFILE": "empty"]) { $1 }, role: .snapshot, fetcher)
        #expect(text.contains("instance metadata: not for this role"), "\(text)")
        #expect(fetcher.requests.isEmpty)
    }

    @Test(
        "nothing is sent to an endpoint of a role's own but what is given for it",
        arguments: ["AWS_ENDPOINT_URL", "WALG_AWS_ENDPOINT", "AWS_ENDPOINT_URL_STS", "S3_ENDPOINT_SOURCE"])
    func ownEndpoint(name: String) async throws {
        let variables = with(["SNAPSHOT_\(name)": "http://stranger", "HOME": "/nonexistent"])
        let fetcher = ScriptedFetcher { _ in (200, "session") }
        let text = await failure(variables, role: .snapshot, fetcher)
        #expect(text.contains("SNAPSHOT_\(name) names a service of its own"), "\(text)")
        #expect(text.contains("SNAPSHOT_CREDENTIALS=inherit") && fetcher.requests.isEmpty)
        let inherit = variables.merging(["SNAPSHOT_CREDENTIALS": "inherit"]) { $1 }
        #expect(try await keys(inherit, role: .snapshot).accessKeyID == "AKPLAIN")
        #expect(try await keys(variables, role: .storage).accessKeyID == "AKPLAIN")
        let own = variables.merging(["SNAPSHOT_AWS_ACCESS_KEY_ID": "K", "SNAPSHOT_AWS_SECRET_ACCESS_KEY": "S"]) { $1 }
        #expect(try await keys(own, role: .snapshot).accessKeyID == "K")
    }

    @Test("a role's own ARN needs to be told whose keys assume it")
    func ownRoleARN() async throws {
        let variables = with(["SNAPSHOT_AWS_ROLE_ARN": "arn:own", "HOME": "/nonexistent"])
        #expect(await failure(variables, role: .snapshot).contains("SNAPSHOT_AWS_ROLE_ARN is to be assumed"))
        let fetcher = ScriptedFetcher { _ in stsAnswer("ASIAOWN") }
        let inherit = variables.merging(["SNAPSHOT_CREDENTIALS": "inherit"]) { $1 }
        #expect(try await keys(inherit, role: .snapshot, fetcher).accessKeyID == "ASIAOWN")
        #expect(fetcher.requests.first?.header("Authorization")?.contains("Credential=AKPLAIN/") == true)
        #expect(await failure(with(["SNAPSHOT_CREDENTIALS": "own"]), role: .snapshot).contains("is own"))
        #expect(await failure(with(["SNAPSHOT_CREDENTIALS": "yes"]), role: .snapshot).contains("inherit, own"))
    }
}

@Suite("credentials of s3: kept and replaced")
struct AWSCredentialCacheTests {
    private let variables = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://x"]

    private static func answer(_ id: Int, _ expires: String) -> (Int, String) {
        (200, "{\"AccessKeyId\":\"K\(id)\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"\(expires)\"}")
    }

    @Test("they are replaced five minutes before their end, and on demand")
    func refresh() async throws {
        let clock = HandClock()
        let fetcher = ScriptedFetcher { _ in Self.answer(1, clock.time(in: 3600)) }
        let chain = chain(variables, fetcher, clock: clock)
        _ = try await chain.credentials(refresh: false)
        clock.advance(3299)
        _ = try await chain.credentials(refresh: false)
        #expect(fetcher.requests.count == 1)
        clock.advance(2)
        _ = try await chain.credentials(refresh: false)
        #expect(fetcher.requests.count == 2)
        _ = try await chain.credentials(refresh: true)
        #expect(fetcher.requests.count == 3)
    }

    @Test("many who ask at once share one fetch")
    func oneFetch() async throws {
        let clock = HandClock()
        let fetcher = ScriptedFetcher { _ in Self.answer(1, clock.time(in: 3600)) }
        let chain = chain(variables, fetcher, clock: clock)
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 { group.addTask { _ = try await chain.credentials(refresh: false) } }
            try await group.waitForAll()
        }
        #expect(fetcher.requests.count == 1)
    }

    @Test("while the service is down the old ones serve until their end, unless the storage refused them")
    func serviceDown() async throws {
        let clock = HandClock()
        let end = clock.time(in: 3600)
        let start = clock.now
        let fetcher = ScriptedFetcher { _ in clock.now == start ? Self.answer(1, end) : (500, "") }
        let chain = chain(variables, fetcher, clock: clock)
        _ = try await chain.credentials(refresh: false)
        clock.advance(3400)
        #expect(try await chain.credentials(refresh: false).accessKeyID == "K1")
        clock.advance(250)
        await #expect(throws: CredentialError.self) { try await chain.credentials(refresh: false) }
        let fresh = chainThatAnswersOnce(end: end)
        _ = try await fresh.credentials(refresh: false)
        await #expect(throws: CredentialError.self) { try await fresh.credentials(refresh: true) }
    }

    /// A chain whose service answers once.
    private func chainThatAnswersOnce(end: String) -> AWSCredentialChain {
        let isFirst = Once()
        let fetcher = ScriptedFetcher { _ in isFirst.take() ? Self.answer(1, end) : (500, "") }
        return chain(variables, fetcher)
    }
}
