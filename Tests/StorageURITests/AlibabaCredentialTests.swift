import Foundation
import StorageURI
import Testing

private func alibabaChain(
    _ variables: [String: String], role: StorageRole? = nil, region: String? = "cn-hangzhou",
    _ fetcher: any HTTPFetcher = ScriptedFetcher(), clock: HandClock = HandClock()
) -> AlibabaCredentialChain {
    AlibabaCredentialChain(
        environment: RoleEnvironment(variables, role: role), region: region, http: fetcher, pause: .milliseconds(1),
        now: { clock.now })
}

private func alibabaKeys(
    _ variables: [String: String], role: StorageRole? = nil, region: String? = "cn-hangzhou",
    _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async throws -> AlibabaCredentials {
    try await alibabaChain(variables, role: role, region: region, fetcher).credentials(refresh: false)
}

private func alibabaFailure(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async -> String {
    do {
        _ = try await alibabaKeys(variables, role: role, fetcher)
        return ""
    } catch { return "\(error)" }
}

/// What STS answers.
private func sts(_ id: String, expires: String = "2030-01-01T00:00:00Z") -> (Int, String) {
    (
        200,
        """
        {"RequestId":"r","AssumedRoleUser":{"Arn":"a"},"Credentials":{"AccessKeyId":"\(id)",
        "AccessKeySecret":"made","SecurityToken":"to+ken","Expiration":"\(expires)"}}
        """
    )
}

/// What metadata and credential services answer.
private func document(_ id: String, expires: String = "2030-01-01T00:00:00Z") -> (Int, String) {
    (
        200,
        """
        {"Code":"Success","AccessKeyId":"\(id)","AccessKeySecret":"s","SecurityToken":"t","Expiration":"\(expires)",
        "LastUpdated":"2026-01-01T00:00:00Z"}
        """
    )
}

@Suite("credentials of oss")
struct AlibabaCredentialTests {
    private let own = ["OSS_ACCESS_KEY_ID": "LTAI", "OSS_ACCESS_KEY_SECRET": "hunter2"]
    private let common = ["ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAC", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hunter3"]

    @Test("the variables of OSS go before those of all tools, and both before all else")
    func variables() async throws {
        let fetcher = ScriptedFetcher()
        let all = own.merging(common) { $1 }
            .merging(["OSS_SESSION_TOKEN": "token", "ALIBABA_CLOUD_PROFILE": "missing"]) { $1 }
        let found = try await alibabaKeys(all, fetcher)
        #expect(found.accessKeyID == "LTAI" && found.accessKeySecret.reveal() == "hunter2")
        #expect(found.securityToken?.reveal() == "token" && found.source == "OSS_ACCESS_KEY_ID")
        let other = try await alibabaKeys(common.merging(["ALIBABA_CLOUD_SECURITY_TOKEN": "t2"]) { $1 }, fetcher)
        #expect(other.accessKeyID == "LTAC" && other.securityToken?.reveal() == "t2")
        #expect(other.source == "ALIBABA_CLOUD_ACCESS_KEY_ID" && fetcher.requests.isEmpty)
        #expect(await alibabaFailure(["OSS_ACCESS_KEY_ID": "LTAI"]).contains("OSS_ACCESS_KEY_SECRET is not"))
        #expect(await alibabaFailure(["OSS_ACCESS_KEY_SECRET": "hunter2"]).contains("OSS_ACCESS_KEY_ID is not"))
        let broken = await alibabaFailure(["OSS_ACCESS_KEY_ID": "a", "OSS_ACCESS_KEY_SECRET": "hunter2\nx"])
        #expect(broken.contains("line break") && !broken.contains("hunter2"))
    }

    @Test("the role is assumed in the bucket's region, with a signature that is made anew for each try")
    func role() async throws {
        let isFirst = Once()
        let fetcher = ScriptedFetcher { _ in isFirst.take() ? (503, "") : sts("STS.ROLE") }
        let variables = own.merging([
            "OSS_ROLE_ARN": "acs:ram::1:role/r", "OSS_ROLE_SESSION_NAME": "me", "OSS_SESSION_TOKEN": "hunter4",
        ]) { $1 }
        let found = try await alibabaKeys(variables, fetcher)
        #expect(found.accessKeyID == "STS.ROLE" && found.securityToken?.reveal() == "to+ken")
        #expect(found.expiration == Date(timeIntervalSince1970: 1_893_456_000))
        #expect(found.source == "role acs:ram::1:role/r assumed with OSS_ACCESS_KEY_ID")
        #expect(fetcher.requests.map(\.url) == Array(repeating: "https://sts.cn-hangzhou.aliyuncs.com/", count: 2))
        let texts = fetcher.requests.map(\.text)
        for part in [
            "Action=AssumeRole&", "RoleArn=acs%3Aram%3A%3A1%3Arole%2Fr", "RoleSessionName=me", "SecurityToken=hunter4",
            "DurationSeconds=3600", "AccessKeyId=LTAI", "SignatureMethod=HMAC-SHA1",
        ] { #expect(texts[1].contains(part), "\(texts[1])") }
        func field(_ name: String, _ text: String) -> Substring? {
            text.split(separator: "&").first { $0.hasPrefix("\(name)=") }
        }
        #expect(field("SignatureNonce", texts[0]) != field("SignatureNonce", texts[1]))
        #expect(field("Signature", texts[0]) != field("Signature", texts[1]))
        #expect(!texts[1].contains("hunter2"))

        let refusing = ScriptedFetcher { _ in
            (403, "{\"Code\":\"NoPermission\",\"Message\":\"not with hunter4\",\"RequestId\":\"r-1\"}")
        }
        let text = await alibabaFailure(variables, refusing)
        #expect(
            text.contains("sts.cn-hangzhou.aliyuncs.com answered 403 NoPermission: not with <redacted>, request r-1"),
            "\(text)")
        #expect(refusing.requests.count == 1, "a refusal is not repeated")
        let elsewhere = ["ALIBABA_CLOUD_STS_REGION": "ap-southeast-1", "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "true"]
        _ = try await alibabaKeys(variables.merging(elsewhere) { $1 }, fetcher)
        #expect(fetcher.requests.last?.url == "https://sts-vpc.ap-southeast-1.aliyuncs.com/")
        _ = try await alibabaKeys(variables, region: nil, fetcher)
        #expect(fetcher.requests.last?.url == "https://sts.aliyuncs.com/")
    }

    @Test("a token of an identity provider is exchanged for keys of its role")
    func oidc() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let file = try home.write("the.oidc.token\n", to: "token")
        let fetcher = ScriptedFetcher { _ in sts("STS.OIDC") }
        let variables = [
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": file, "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/r",
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/p", "HOME": home.path,
        ]
        #expect(try await alibabaKeys(variables, fetcher).accessKeyID == "STS.OIDC")
        let text = try #require(fetcher.requests.first).text
        for part in [
            "Action=AssumeRoleWithOIDC", "OIDCToken=the.oidc.token", "RoleSessionName=zenith",
            "OIDCProviderArn=acs%3Aram%3A%3A1%3Aoidc-provider%2Fp",
        ] { #expect(text.contains(part)) }
        #expect(!text.contains("Signature"))
        for name in ["ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"] {
            #expect(await alibabaFailure(variables.filter { $0.key != name }).contains("\(name) is not"))
        }
    }

    static let commandLineFile = """
        {"current": "plain", "profiles": [
        {"name": "plain", "mode": "AK", "access_key_id": "LTCLI", "access_key_secret": "s", "sts_token": "stale"},
        {"name": "temporary", "mode": "StsToken", "access_key_id": "STS.CLI", "access_key_secret": "s", "sts_token": "t"},
        {"name": "role", "mode": "RamRoleArn", "access_key_id": "LTCLI", "access_key_secret": "s",
         "ram_role_arn": "acs:ram::1:role/one", "ram_session_name": "s-1", "expired_seconds": 900, "external_id": "e-1",
         "sts_region": "cn-beijing"},
        {"name": "two", "mode": "ChainableRamRoleArn", "source_profile": "role", "ram_role_arn": "acs:ram::1:role/two"},
        {"name": "round", "mode": "ChainableRamRoleArn", "source_profile": "circle", "ram_role_arn": "r"},
        {"name": "circle", "mode": "ChainableRamRoleArn", "source_profile": "round", "ram_role_arn": "r"},
        {"name": "instance", "mode": "EcsRamRole", "ram_role_name": "my-role"},
        {"name": "sso", "mode": "CloudSSO"}, {"name": "half", "mode": "AK", "access_key_id": "LTCLI"}]}
        """
    static let libraryFile = """
        [default]
        type = access_key
        access_key_id = LTINI
        access_key_secret = s
        [role]
        type = ram_role_arn
        access_key_id = LTINI
        access_key_secret = s
        role_arn = acs:ram::1:role/ini
        [pair]
        type = rsa_key_pair
        """

    private func home(_ commandLine: String?, _ library: String?) throws -> AWSHome {
        let home = try AWSHome()
        for (folder, name, text) in [
            (".aliyun", "config.json", commandLine), (".alibabacloud", "credentials.ini", library),
        ] {
            guard let text else { continue }
            try FileManager.default.createDirectory(
                atPath: "\(home.path)/\(folder)", withIntermediateDirectories: true)
            try home.write(text, to: "\(folder)/\(name)")
        }
        return home
    }

    @Test("profiles, first of the command line tool's file and then of the libraries'")
    func profiles() async throws {
        let home = try home(Self.commandLineFile, Self.libraryFile)
        defer { withExtendedLifetime(home) {} }
        let base = ["HOME": home.path]
        func named(_ name: String) -> [String: String] { base.merging(["ALIBABA_CLOUD_PROFILE": name]) { $1 } }
        let plain = try await alibabaKeys(base)
        #expect(plain.accessKeyID == "LTCLI" && plain.securityToken == nil)
        #expect(plain.source == "profile plain of \(home.path)/.aliyun/config.json")
        #expect(try await alibabaKeys(named("temporary")).securityToken?.reveal() == "t")
        #expect(try await alibabaKeys(named("default")).accessKeyID == "LTINI")
        let without = base.merging(["ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "true"]) { $1 }
        #expect(
            try await alibabaKeys(without).source
                == "profile default of \(home.path)/.alibabacloud/credentials.ini")
        let elsewhere = try home.write(
            "[default]\ntype=access_key\naccess_key_id=A\naccess_key_secret=B\n", to: "other")
        let file = without.merging(["ALIBABA_CLOUD_CREDENTIALS_FILE": "~/other"]) { $1 }
        #expect(try await alibabaKeys(file).source == "profile default of \(elsewhere)")

        let fetcher = ScriptedFetcher { sts($0.text.contains("two") ? "STS.TWO" : "STS.ONE") }
        #expect(try await alibabaKeys(named("two"), fetcher).accessKeyID == "STS.TWO")
        let first = try #require(fetcher.requests.first)
        #expect(first.url == "https://sts.cn-beijing.aliyuncs.com/")
        for part in ["ExternalId=e-1", "RoleSessionName=s-1", "DurationSeconds=900", "AccessKeyId=LTCLI"] {
            #expect(first.text.contains(part))
        }
        #expect(fetcher.requests.last?.text.contains("AccessKeyId=STS.ONE") == true)
        let library = named("role").merging(["ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "true"]) { $1 }
        #expect(try await alibabaKeys(library, fetcher).source.contains("role/ini"))
        let instance = ScriptedFetcher { $0.method == "PUT" ? (200, "session") : document("STS.ECS") }
        #expect(try await alibabaKeys(named("instance"), instance).accessKeyID == "STS.ECS")
        for (name, part) in [
            ("missing", "there is no profile “missing”"), ("half", "has no access_key_secret"), ("round", "circle"),
            ("sso", "“CloudSSO”, which is not supported"), ("pair", "“rsa_key_pair”, which is not supported"),
        ] {
            let text = await alibabaFailure(named(name))
            #expect(text.contains(part), "\(text)")
        }
        #expect(
            await alibabaFailure(base.merging(["ALIBABA_CLOUD_CREDENTIALS_FILE": "/none"]) { $1 }).isEmpty,
            "the command line tool's profile goes before")
        #expect(
            await alibabaFailure(without.merging(["ALIBABA_CLOUD_CREDENTIALS_FILE": "/none"]) { $1 })
                .contains("no such file"))
        let garbage = try self.home("{", nil)
        defer { withExtendedLifetime(garbage) {} }
        #expect(await alibabaFailure(["HOME": garbage.path]).contains("is not the JSON expected"))
    }

    @Test("the instance's role, with a session's token where there is one")
    func instance() async throws {
        let fetcher = ScriptedFetcher { request in
            if request.method == "PUT" { return (200, "session") }
            guard request.header("X-aliyun-ecs-metadata-token") == "session" else { return (401, "") }
            return request.url.hasSuffix("/security-credentials/") ? (200, "my-role") : document("STS.ECS")
        }
        let found = try await alibabaKeys([:], fetcher)
        #expect(found.accessKeyID == "STS.ECS" && found.source == "instance metadata, role my-role")
        let service = "http://100.100.100.200/latest"
        #expect(
            fetcher.requests.map(\.url) == [
                "\(service)/api/token", "\(service)/meta-data/ram/security-credentials/",
                "\(service)/meta-data/ram/security-credentials/my-role",
            ])
        let named = ["ALIBABA_CLOUD_ECS_METADATA": "other"]
        #expect(try await alibabaKeys(named, fetcher).source == "instance metadata, role other")
        #expect(await alibabaFailure(named).hasPrefix("instance metadata: no answer"))
        // Older instances give no token, and keys without one.
        let old = ScriptedFetcher { $0.method == "PUT" ? (404, "") : document("STS.OLD") }
        #expect(try await alibabaKeys(named, old).accessKeyID == "STS.OLD")
        let strict = named.merging(["ALIBABA_CLOUD_IMDSV1_DISABLED": "true"]) { $1 }
        #expect(await alibabaFailure(strict, old).contains("gives no session token (404)"))
        let off = ScriptedFetcher { _ in (200, "session") }
        let text = await alibabaFailure(["ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"], off)
        #expect(text.contains("turned off by ALIBABA_CLOUD_ECS_METADATA_DISABLED") && off.requests.isEmpty)
        let without = ScriptedFetcher { $0.method == "PUT" ? (200, "session") : (404, "") }
        #expect(await alibabaFailure([:], without).contains("the instance has no role"))
    }

    @Test("a URL that answers with keys, not in clear text over the network")
    func credentialsURI() async throws {
        let fetcher = ScriptedFetcher { request in
            guard request.url.hasPrefix("http://127.0.0.1") else { throw NoAnswer() }
            return document("STS.URI")
        }
        let found = try await alibabaKeys(["ALIBABA_CLOUD_CREDENTIALS_URI": "http://127.0.0.1:9/keys?a=b"], fetcher)
        #expect(found.accessKeyID == "STS.URI" && found.source == "ALIBABA_CLOUD_CREDENTIALS_URI")
        for (uri, part) in [("http://example.com/x", "use https"), ("ftp://x", "http"), ("localhost/x", "not a URL")] {
            let text = await alibabaFailure(["ALIBABA_CLOUD_CREDENTIALS_URI": uri], fetcher)
            #expect(text.contains(part), "\(text)")
        }
        for answer in ["{\"Code\":\"Success\"}", "[]", "{\"Code\":\"Failed\",\"Message\":\"no\"}"] {
            let odd = ScriptedFetcher { request in
                guard request.url.hasPrefix("https:") else { throw NoAnswer() }
                return (200, answer)
            }
            #expect(
                await alibabaFailure(["ALIBABA_CLOUD_CREDENTIALS_URI": "https://x/"], odd)
                    .contains("ALIBABA_CLOUD_CREDENTIALS_URI: "))
        }
    }

    @Test("a role takes its own set, or the whole of the other, and sends none to strangers")
    func roles() async throws {
        let unprefixed = own.merging(["OSS_SESSION_TOKEN": "theirs"]) { $1 }
        func with(_ variables: [String: String]) -> [String: String] { unprefixed.merging(variables) { $1 } }
        #expect(try await alibabaKeys(unprefixed, role: .storage).source == "OSS_ACCESS_KEY_ID")
        let set = try await alibabaKeys(
            with(["STORAGE_OSS_ACCESS_KEY_ID": "OWN", "STORAGE_OSS_ACCESS_KEY_SECRET": "s"]), role: .storage)
        #expect(set.accessKeyID == "OWN" && set.securityToken == nil)
        #expect(
            await alibabaFailure(with(["STORAGE_OSS_ACCESS_KEY_ID": "OWN"]), role: .storage)
                .contains("STORAGE_OSS_ACCESS_KEY_SECRET is not"))
        let stranger = ["STORAGE_OSS_ENDPOINT": "https://oss.example.com"]
        #expect(
            await alibabaFailure(with(stranger), role: .storage)
                .contains("STORAGE_OSS_ENDPOINT names a service of its own"))
        let allowed = stranger.merging(["STORAGE_CREDENTIALS": "inherit"]) { $1 }
        #expect(try await alibabaKeys(with(allowed), role: .storage).accessKeyID == "LTAI")
        let fetcher = ScriptedFetcher { _ in sts("STS.ROLE") }
        let arn = ["STORAGE_OSS_ROLE_ARN": "acs:ram::1:role/own"]
        #expect(
            await alibabaFailure(with(arn), role: .storage, fetcher)
                .contains("is to be assumed, but not with whose keys"))
        #expect(
            try await alibabaKeys(with(arn.merging(["STORAGE_CREDENTIALS": "inherit"]) { $1 }), role: .storage, fetcher)
                .accessKeyID == "STS.ROLE")
    }

    @Test("temporary keys are replaced before they end")
    func refresh() async throws {
        let clock = HandClock()
        let fetcher = ScriptedFetcher { request in
            guard request.method != "PUT" else { return (200, "session") }
            return document("STS.\(clock.now.timeIntervalSince1970)", expires: clock.time(in: 3600))
        }
        let chain = alibabaChain(["ALIBABA_CLOUD_ECS_METADATA": "r"], fetcher, clock: clock)
        let first = try await chain.credentials(refresh: false).accessKeyID
        clock.advance(3200)
        #expect(try await chain.credentials(refresh: false).accessKeyID == first)
        clock.advance(200)
        let second = try await chain.credentials(refresh: false).accessKeyID
        #expect(second != first)
        clock.advance(1)
        #expect(try await chain.credentials(refresh: true).accessKeyID != second)
    }

    @Test("with nothing configured every source is told, and what to set")
    func nothing() async {
        let text = await alibabaFailure(["HOME": "/nonexistent"])
        for part in [
            "OSS_ACCESS_KEY_ID: not set", "ALIBABA_CLOUD_ACCESS_KEY_ID: not set",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE: not set",
            "no profile in /nonexistent/.aliyun/config.json or /nonexistent/.alibabacloud/credentials.ini",
            "instance metadata: no answer: connection refused", "ALIBABA_CLOUD_CREDENTIALS_URI: not set",
            "set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET",
        ] { #expect(text.contains(part), "\(text)") }
    }
}
