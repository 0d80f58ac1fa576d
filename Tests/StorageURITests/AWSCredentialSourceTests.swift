import Foundation
import StorageURI
import Testing

@Suite("credentials of s3: sources")
struct AWSCredentialSourceTests {
    @Test("variables go before all else")
    func environment() async throws {
        let fetcher = ScriptedFetcher()
        let found = try await keys(
            [
                "AWS_ACCESS_KEY_ID": "AKID", "WALG_AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
                "AWS_PROFILE": "missing", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://x",
            ], fetcher)
        #expect(found.accessKeyID == "AKID" && found.secretAccessKey.reveal() == "secret")
        #expect(found.sessionToken?.reveal() == "token" && found.source == "AWS_ACCESS_KEY_ID")
        #expect(fetcher.requests.isEmpty)
        #expect(await failure(["AWS_ACCESS_KEY_ID": "AKID"]).contains("AWS_SECRET_ACCESS_KEY is not"))
        #expect(await failure(["AWS_SECRET_ACCESS_KEY": "hunter2"]).contains("AWS_ACCESS_KEY_ID is not"))
        let broken = await failure(["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hunter2\nX: y"])
        #expect(broken.contains("line break") && !broken.contains("hunter2"))
    }

    @Test("a web identity is exchanged for keys of its role")
    func webIdentity() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let file = try home.write("the.web.token\n", to: "token")
        let fetcher = ScriptedFetcher { _ in stsAnswer("ASIAWEB") }
        let variables = [
            "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
            "AWS_ROLE_SESSION_NAME": "me", "HOME": home.path,
        ]
        let found = try await keys(variables, region: "eu-west-1", fetcher)
        #expect(found.accessKeyID == "ASIAWEB" && found.sessionToken?.reveal() == "to&ken")
        #expect(found.expiration == Date(timeIntervalSince1970: 1_893_456_000))
        let request = try #require(fetcher.requests.first)
        #expect(fetcher.requests.count == 1 && request.url == "https://sts.eu-west-1.amazonaws.com/")
        #expect(request.header("Authorization") == nil)
        for part in [
            "Action=AssumeRoleWithWebIdentity", "WebIdentityToken=the.web.token", "RoleSessionName=me",
            "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr",
        ] { #expect(request.text.contains(part)) }

        let refusing = ScriptedFetcher { _ in stsRefusal("InvalidIdentityToken", "bad the.web.token for you") }
        let text = await failure(variables, refusing)
        #expect(text.contains("403 InvalidIdentityToken: bad <redacted> for you, request req-1"))
        #expect(refusing.requests.count == 1, "a refusal is not repeated")
        #expect(await failure(["AWS_WEB_IDENTITY_TOKEN_FILE": file]).contains("AWS_ROLE_ARN is not"))
        #expect(
            await failure(["AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent", "AWS_ROLE_ARN": "r"])
                .contains("no such file"))
    }

    @Test("with keys and a role ARN the role is assumed, signed with the keys")
    func assumeRole() async throws {
        let fetcher = ScriptedFetcher { _ in stsAnswer("ASIAROLE") }
        let found = try await keys(
            [
                "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hunter2",
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
                "AWS_ENDPOINT_URL_STS": "http://localhost:4566/sts/",
            ], region: "eu-west-1", fetcher)
        #expect(found.accessKeyID == "ASIAROLE")
        #expect(found.source == "role arn:aws:iam::1:role/r assumed with AWS_ACCESS_KEY_ID")
        let request = try #require(fetcher.requests.first)
        #expect(request.url == "http://localhost:4566/sts/" && request.method == "POST")
        #expect(request.header("Authorization")?.contains("Credential=AKID/") == true)
        #expect(request.header("Authorization")?.contains("/eu-west-1/sts/aws4_request") == true)
        #expect(!request.text.contains("hunter2"))
    }

    static let credentialsFile = """
        [default]
        aws_access_key_id = AKDEFAULT
        aws_secret_access_key = default-secret
        # a comment
        [backup]
        aws_access_key_id=AKBACKUP
        aws_secret_access_key=backup-secret
        aws_session_token=backup-token
        [half]
        aws_access_key_id=AKHALF
        """
    static let configFile = """
        [default]
        region = eu-north-1
        [profile backup]
        aws_access_key_id = WRONG
        aws_secret_access_key = wrong
        [profile role]
        role_arn = arn:aws:iam::1:role/r
        source_profile = backup
        external_id = e-1
        role_session_name = s-1
        duration_seconds = 900
        region = eu-south-1
        [profile two]
        role_arn = arn:aws:iam::1:role/two
        source_profile = role
        external_id = e-2
        [profile three]
        role_arn = arn:aws:iam::1:role/three
        source_profile = two
        region = eu-west-3
        [profile variables]
        role_arn = arn:aws:iam::1:role/v
        credential_source = Environment
        [profile instance]
        role_arn = arn:aws:iam::1:role/i
        credential_source = Ec2InstanceMetadata
        [profile web]
        role_arn = arn:aws:iam::1:role/w
        web_identity_token_file = token
        role_session_name = from-web
        [profile elsewhere]
        role_arn = arn:aws:iam::1:role/e
        credential_source = Moon
        [profile both]
        role_arn = arn:aws:iam::1:role/b
        credential_source = Environment
        source_profile = backup
        [profile neither]
        role_arn = arn:aws:iam::1:role/n
        [profile long]
        role_arn = arn:aws:iam::1:role/l
        source_profile = backup
        duration_seconds = an hour
        [profile signed-on]
        sso_session = s
        [profile over-sso]
        role_arn = arn:aws:iam::1:role/o
        source_profile = signed-on
        [profile over-mfa]
        role_arn = arn:aws:iam::1:role/o
        source_profile = mfa
        [profile circle]
        role_arn = arn:aws:iam::1:role/c
        source_profile = round
        [profile round]
        role_arn = arn:aws:iam::1:role/d
        source_profile = circle
        [profile self]
        role_arn = arn:aws:iam::1:role/self
        source_profile = self
        aws_access_key_id = AKSELF
        aws_secret_access_key = self-secret
        [profile env]
        role_arn = arn:aws:iam::1:role/env
        credential_source = EcsContainer
        [profile process]
        credential_process = /bin/true
        [profile mfa]
        role_arn = arn:aws:iam::1:role/m
        source_profile = backup
        mfa_serial = 1
        """

    @Test("the shared files, by profile")
    func profiles() async throws {
        let home = try AWSHome(credentials: Self.credentialsFile, config: Self.configFile)
        defer { withExtendedLifetime(home) {} }
        let base = ["HOME": home.path]
        let plain = try await keys(base)
        #expect(plain.accessKeyID == "AKDEFAULT")
        #expect(plain.source == "profile default of \(home.path)/.aws/credentials")
        let backup = try await keys(base.merging(["AWS_PROFILE": "backup"]) { $1 })
        #expect(backup.accessKeyID == "AKBACKUP" && backup.secretAccessKey.reveal() == "backup-secret")
        #expect(backup.sessionToken?.reveal() == "backup-token")
        let elsewhere = try home.write("[default]\naws_access_key_id=A\naws_secret_access_key=B\n", to: "other")
        #expect(
            try await keys(base.merging(["AWS_SHARED_CREDENTIALS_FILE": "~/other"]) { $1 }).source
                == "profile default of \(elsewhere)")
        for (profile, part) in [
            ("missing", "there is no profile “missing”"), ("half", "no aws_secret_access_key"),
            ("process", "profile process, program true: is not run here"), ("circle", "circle"),
            ("mfa", "second factor"),
            ("elsewhere", "profile elsewhere: its credential_source “Moon” is not known"),
            ("both", "profile both: has both"), ("neither", "profile neither: has role_arn, but neither"),
            ("long", "profile long: its duration_seconds is no number"),
            ("signed-on", "profile signed-on: gets its keys by sso_session, which is not supported"),
            ("over-sso", "profile signed-on: gets its keys by sso_session"),
            ("over-mfa", "profile mfa: asks for a second factor (mfa_serial), which is not supported"),
            ("variables", "profile variables: its credential_source has no keys: not set"),
        ] {
            let text = await failure(base.merging(["AWS_PROFILE": profile]) { $1 })
            #expect(text.contains(part), "\(text)")
        }
    }

    @Test("roles of profiles are assumed, one on the other")
    func profileRoles() async throws {
        let home = try AWSHome(credentials: Self.credentialsFile, config: Self.configFile)
        defer { withExtendedLifetime(home) {} }
        let fetcher = ScriptedFetcher { request in
            stsAnswer(request.text.contains("two") ? "ASIATWO" : request.text.contains("self") ? "ASIASELF" : "ASIAONE")
        }
        #expect(try await keys(["HOME": home.path, "AWS_PROFILE": "two"], fetcher).accessKeyID == "ASIATWO")
        #expect(fetcher.requests.count == 2)
        let first = try #require(fetcher.requests.first)
        #expect(first.url == "https://sts.eu-south-1.amazonaws.com/")
        #expect(first.header("Authorization")?.contains("Credential=AKBACKUP/") == true)
        for part in ["ExternalId=e-1", "RoleSessionName=s-1", "DurationSeconds=900"] {
            #expect(first.text.contains(part))
        }
        #expect(fetcher.requests.last?.header("Authorization")?.contains("Credential=ASIAONE/") == true)
        #expect(try await keys(["HOME": home.path, "AWS_PROFILE": "self"], fetcher).accessKeyID == "ASIASELF")
    }

    @Test("a chain of three roles is assumed in turn, each as its own profile says")
    func roleChain() async throws {
        let home = try AWSHome(credentials: Self.credentialsFile, config: Self.configFile)
        defer { withExtendedLifetime(home) {} }
        let fetcher = ScriptedFetcher { request in
            let role = request.text.firstRange(of: "role%2F").map {
                request.text[$0.upperBound...].prefix { $0 != "&" }
            }
            return stsAnswer("ASIA-\(role ?? "")")
        }
        let found = try await keys(["HOME": home.path, "AWS_PROFILE": "three"], region: "ap-south-1", fetcher)
        #expect(found.accessKeyID == "ASIA-three")
        #expect(
            found.source
                == "role arn:aws:iam::1:role/three assumed with role arn:aws:iam::1:role/two assumed with role "
                + "arn:aws:iam::1:role/r assumed with profile backup of \(home.path)/.aws/credentials")
        let requests = fetcher.requests
        #expect(
            requests.map(\.url) == ["eu-south-1", "ap-south-1", "eu-west-3"].map { "https://sts.\($0).amazonaws.com/" })
        let signers = requests.map { $0.header("Authorization")?.split(separator: "/").first.map(String.init) ?? "" }
        #expect(
            signers.map { $0.hasSuffix("=AKBACKUP") || $0.hasSuffix("=ASIA-r") || $0.hasSuffix("=ASIA-two") } == [
                true, true, true,
            ])
        #expect(requests.map { $0.text.contains("ExternalId=e-1") } == [true, false, false])
        #expect(requests.map { $0.text.contains("ExternalId=e-2") } == [false, true, false])
        #expect(requests.map { $0.text.contains("DurationSeconds") } == [true, false, false])
        #expect(requests.map { $0.text.contains("RoleSessionName=s-1") } == [true, false, false])
    }

    @Test("a role's keys may come from the variables, the instance or a token")
    func credentialSources() async throws {
        let home = try AWSHome(credentials: Self.credentialsFile, config: Self.configFile)
        defer { withExtendedLifetime(home) {} }
        let token = try home.write("the.web.token\n", to: "token")
        let config = try home.write(
            Self.configFile.replacing("web_identity_token_file = token", with: "web_identity_token_file = \(token)"),
            to: "config")
        let base = ["HOME": home.path, "AWS_CONFIG_FILE": config]
        let fetcher = ScriptedFetcher { request in
            if request.method == "PUT" { return (200, "session") }
            if request.url.hasSuffix("/security-credentials/") { return (200, "my-role\n") }
            if request.url.contains("/security-credentials/") { return (200, Self.document("ASIAEC2")) }
            return stsAnswer("ASIAROLE")
        }
        let instance = try await keys(base.merging(["AWS_PROFILE": "instance"]) { $1 }, fetcher)
        #expect(instance.source == "role arn:aws:iam::1:role/i assumed with instance metadata, role my-role")
        #expect(fetcher.requests.last?.header("Authorization")?.contains("Credential=ASIAEC2/") == true)
        let web = try await keys(base.merging(["AWS_PROFILE": "web"]) { $1 }, fetcher)
        #expect(web.source.hasSuffix("assumed with the web identity of web_identity_token_file of profile web"))
        let request = try #require(fetcher.requests.last)
        #expect(request.header("Authorization") == nil && request.text.contains("WebIdentityToken=the.web.token"))
        #expect(request.text.contains("RoleSessionName=from-web"))
    }

    private static func document(_ id: String, expires: String = "2030-01-01T00:00:00Z") -> String {
        """
        {"Code":"Success","AccessKeyId":"\(id)","SecretAccessKey":"s","Token":"t","Expiration":"\(expires)"}
        """
    }

    @Test("container services, with their authorization, and not in clear text over the network")
    func container() async throws {
        let fetcher = ScriptedFetcher { _ in (200, Self.document("ASIAECS")) }
        let relative = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x"]
        #expect(try await keys(relative, fetcher).accessKeyID == "ASIAECS")
        #expect(fetcher.requests.last?.url == "http://169.254.170.2/v2/credentials/x")
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let file = try home.write("Bearer of the file\n", to: "authorization")
        let full = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer x", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file,
        ]
        #expect(try await keys(full, fetcher).accessKeyID == "ASIAECS")
        #expect(fetcher.requests.last?.header("Authorization") == "Bearer of the file")
        for (url, part) in [
            ("http://example.com/x", "https"), ("http://127.0.0.1.evil.com", "https"), ("ftp://x", "http"),
        ] {
            #expect(await failure(["AWS_CONTAINER_CREDENTIALS_FULL_URI": url], fetcher).contains(part))
        }
        let refusing = ScriptedFetcher { _ in (400, "{\"Code\":\"InvalidToken\",\"Message\":\"no\"}") }
        #expect(await failure(relative, refusing).contains("400 InvalidToken: no"))
        let flaky = ScriptedFetcher { _ in (503, "") }
        #expect(await failure(relative, flaky).contains("answered 503"))
        #expect(flaky.requests.count == 3)
    }

    @Test("the instance's role, with a session token only")
    func instance() async throws {
        let fetcher = ScriptedFetcher { request in
            if request.method == "PUT" { return (200, "session") }
            guard request.header("X-aws-ec2-metadata-token") == "session" else { return (401, "") }
            return request.url.hasSuffix("/security-credentials/")
                ? (200, "my-role\n") : (200, Self.document("ASIAEC2"))
        }
        let found = try await keys([:], fetcher)
        #expect(found.accessKeyID == "ASIAEC2" && found.source == "instance metadata, role my-role")
        #expect(
            fetcher.requests.map(\.url) == [
                "http://169.254.169.254/latest/api/token",
                "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
                "http://169.254.169.254/latest/meta-data/iam/security-credentials/my-role",
            ])
        let off = ScriptedFetcher { _ in (200, "session") }
        #expect(await failure(["AWS_EC2_METADATA_DISABLED": "true"], off).contains("AWS_EC2_METADATA_DISABLED"))
        #expect(off.requests.isEmpty)
        let named = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"]
        #expect(await failure(named).hasPrefix("instance metadata: no answer"))
        let without = ScriptedFetcher { $0.method == "PUT" ? (200, "session") : (404, "") }
        #expect(await failure([:], without).contains("the instance has no role"))
    }

    @Test("with nothing configured every source is told, and what to set")
    func nothing() async {
        let text = await failure(["HOME": "/nonexistent"])
        for part in [
            "AWS_ACCESS_KEY_ID: not set", "AWS_WEB_IDENTITY_TOKEN_FILE: not set",
            "no profile default in /nonexistent/.aws/config or /nonexistent/.aws/credentials",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI: not set", "instance metadata: no answer: connection refused",
            "hop limit", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ] { #expect(text.contains(part), "\(text)") }
    }
}
