import Foundation
import StorageURI
import Testing

func azureChain(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher(),
    clock: HandClock = HandClock()
) throws -> AzureCredentialChain {
    let environment = RoleEnvironment(variables, role: role)
    return AzureCredentialChain(
        environment: environment, settings: try AzureSettings(environment), http: fetcher, pause: .milliseconds(1),
        now: { clock.now })
}

func azureCredentials(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async throws -> AzureCredentials {
    try await azureChain(variables, role: role, fetcher).credentials(refresh: false)
}

func azureFailure(
    _ variables: [String: String], role: StorageRole? = nil, _ fetcher: any HTTPFetcher = ScriptedFetcher()
) async -> String {
    do {
        _ = try await azureCredentials(variables, role: role, fetcher)
        return ""
    } catch { return "\(error)" }
}

extension AzureCredentials {
    var key: String? { if case .sharedKey(_, let key) = kind { key.reveal() } else { nil } }
    var query: String? { if case .signature(let query) = kind { query.reveal() } else { nil } }
    var token: String? { if case .token(let token) = kind { token.reveal() } else { nil } }
}

let azureAccount = ["AZURE_STORAGE_ACCOUNT": "acc"]
let azureApplication = azureAccount.merging([
    "AZURE_TENANT_ID": "tenant-1", "AZURE_CLIENT_ID": "client-1", "AZURE_CLIENT_SECRET": "hunter2&=",
]) { $1 }
let azureTokenAnswer = (200, "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJ.a.b\"}")

@Suite("credentials of azure: sources")
struct AzureCredentialTests {
    @Test("connection string, key, signature, identities: the first that is there counts")
    func order() async throws {
        var variables = azureApplication.merging([
            "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=Y29ubmVjdGlvbg==",
            "AZURE_STORAGE_ACCESS_KEY": "a2V5", "AZURE_STORAGE_SAS_TOKEN": "?sp=rl&sig=x%3D",
        ]) { $1 }
        let fetcher = ScriptedFetcher { _ in azureTokenAnswer }
        let first = try await azureCredentials(variables, fetcher)
        #expect(first.key == "Y29ubmVjdGlvbg==" && first.source == "AZURE_STORAGE_CONNECTION_STRING")
        #expect(first.identity == "account acc" && first.expiration == nil)
        variables["AZURE_STORAGE_CONNECTION_STRING"] = nil
        #expect(try await azureCredentials(variables, fetcher).key == "a2V5")
        variables["AZURE_STORAGE_ACCESS_KEY"] = nil
        variables["WALG_AZURE_STORAGE_KEY"] = "Y2xp"
        #expect(try await azureCredentials(variables, fetcher).source == "WALG_AZURE_STORAGE_KEY")
        variables["WALG_AZURE_STORAGE_KEY"] = nil
        let signature = try await azureCredentials(variables, fetcher)
        #expect(signature.query == "sp=rl&sig=x%3D" && signature.identity == "account acc, permissions rl")
        #expect(fetcher.requests.isEmpty)
        variables["AZURE_STORAGE_SAS_TOKEN"] = nil
        #expect(try await azureCredentials(variables, fetcher).token == "eyJ.a.b")
        #expect(fetcher.requests.count == 1)
    }

    @Test("a connection string may hold a signature, or leave the credentials to the rest")
    func connectionStrings() async throws {
        let signed = [
            "AZURE_STORAGE_CONNECTION_STRING": "BlobEndpoint=https://acc.blob.x;SharedAccessSignature=sig=a%2Bb"
        ]
        #expect(try await azureCredentials(signed).query == "sig=a%2Bb")
        var bare = ["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc", "AZURE_STORAGE_ACCESS_KEY": "a2V5"]
        #expect(try await azureCredentials(bare).source == "AZURE_STORAGE_ACCESS_KEY")
        bare["AZURE_STORAGE_CONNECTION_STRING"] = "UseDevelopmentStorage=true"
        #expect(try await azureCredentials(bare).key?.hasPrefix("Eby8vdM02xNOcqFlqUwJPLl") == true)
    }

    @Test(
        "what is no credential is refused, and not shown",
        arguments: [
            (["AZURE_STORAGE_ACCESS_KEY": "hunter2!"], "AZURE_STORAGE_ACCESS_KEY: holds a key that is not Base64"),
            (["AZURE_STORAGE_SAS_TOKEN": "sv=2020&x=hunter2"], "it has no sig in it"),
            (["AZURE_STORAGE_SAS_TOKEN": "hunter2"], "it is not name=value pairs"),
            (["AZURE_STORAGE_SAS_TOKEN": "https://acc.blob.x/c?sig=hunter2"], "stands behind its question mark"),
            (["AZURE_CLIENT_SECRET": "hunter2"], "AZURE_CLIENT_SECRET: is set, but AZURE_TENANT_ID is not"),
            (["AZURE_CLIENT_SECRET": "hunter2", "AZURE_TENANT_ID": "t"], "but AZURE_CLIENT_ID is not"),
            (["AZURE_CLIENT_CERTIFICATE_PATH": "/x", "AZURE_TENANT_ID": "t"], "but AZURE_CLIENT_ID is not"),
            (["AZURE_FEDERATED_TOKEN_FILE": "/x", "AZURE_CLIENT_ID": "c"], "but AZURE_TENANT_ID is not"),
            (["AZURE_CLIENT_SECRET": "hunter2", "AZURE_TENANT_ID": "a/b", "AZURE_CLIENT_ID": "c"], "no id has"),
            (["IDENTITY_ENDPOINT": "http://127.0.0.1:1/x"], "IDENTITY_HEADER is not; Azure Arc"),
            (["AZURE_TOKEN_CREDENTIALS": "dev"], "AZURE_TOKEN_CREDENTIALS: is “dev”"),
            (
                ["AZURE_CLIENT_CERTIFICATE_PATH": "/nonexistent", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"],
                "no such file"
            ),
            (
                [
                    "AZURE_AUTHORITY_HOST": "http://x", "AZURE_CLIENT_SECRET": "hunter2", "AZURE_TENANT_ID": "t",
                    "AZURE_CLIENT_ID": "c",
                ], "would go unencrypted to x"
            ),
        ])
    func refused(variables: [String: String], words: String) async {
        let text = await azureFailure(azureAccount.merging(variables) { $1 })
        #expect(text.contains(words) && !text.contains("hunter2"), "\(text)")
    }

    @Test("an application proves itself with its secret, at its cloud's Entra")
    func secret() async throws {
        let fetcher = ScriptedFetcher { _ in azureTokenAnswer }
        let clock = HandClock()
        let found = try await azureChain(azureApplication, fetcher, clock: clock).credentials(refresh: false)
        #expect(found.token == "eyJ.a.b" && found.source == "AZURE_CLIENT_SECRET")
        #expect(found.identity == "application client-1 of tenant tenant-1")
        #expect(found.expiration == clock.now.addingTimeInterval(3599))
        let request = try #require(fetcher.requests.first)
        #expect(
            request.method == "POST" && request.url == "https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token")
        #expect(
            request.text == "client_id=client-1&grant_type=client_credentials"
                + "&scope=https%3A%2F%2Fstorage.azure.com%2F.default&client_secret=hunter2%26%3D")
        for (variables, url) in [
            (["AZURE_ENVIRONMENT_NAME": "AzureChinaCloud"], "https://login.chinacloudapi.cn/"),
            (["AZURE_ENVIRONMENT_NAME": "AzureUSGovernmentCloud"], "https://login.microsoftonline.us/"),
            (["AZURE_ENVIRONMENT_NAME": "AzureGermanCloud"], "https://login.microsoftonline.de/"),
            (["AZURE_AUTHORITY_HOST": "entra.example/"], "https://entra.example/"),
        ] {
            let fetcher = ScriptedFetcher { _ in azureTokenAnswer }
            _ = try await azureCredentials(azureApplication.merging(variables) { $1 }, fetcher)
            #expect(fetcher.requests.first?.url.hasPrefix("\(url)tenant-1/") == true)
        }
    }

    @Test("what Entra refuses is told in its words, without the secret")
    func refusal() async {
        let answer =
            "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid hunter2&= \\r\\nTrace ID\"}"
        let fetcher = ScriptedFetcher { _ in (401, answer) }
        let text = await azureFailure(azureApplication, fetcher)
        #expect(text.contains("answered 401 invalid_client: AADSTS7000215: Invalid <redacted> Trace ID"), "\(text)")
        #expect(fetcher.requests.count == 1, "a refusal is not repeated")
        let silent = await azureFailure(azureApplication, ScriptedFetcher())
        #expect(silent.contains("AZURE_CLIENT_SECRET: no answer: connection refused"), "\(silent)")
        for broken in ["{}", "[", "{\"access_token\":\"hunter2\"}", "{\"access_token\":\"a b\",\"expires_in\":1}"] {
            let text = await azureFailure(azureApplication, ScriptedFetcher { _ in (200, broken) })
            #expect(text.contains("the answer of login.microsoftonline.com"), "\(text)")
            #expect(!text.contains("hunter2"))
        }
    }

    @Test("a certificate's assertion is sent in place of a secret")
    func certificate() async throws {
        var variables = azureApplication
        variables["AZURE_CLIENT_SECRET"] = nil
        variables["AZURE_CLIENT_CERTIFICATE_PATH"] = AzureGolden.path("azure-client.pem")
        let fetcher = ScriptedFetcher { _ in azureTokenAnswer }
        #expect(try await azureCredentials(variables, fetcher).source == "AZURE_CLIENT_CERTIFICATE_PATH")
        let text = try #require(fetcher.requests.first).text
        #expect(
            text.contains("&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&"))
        #expect(text.contains("&client_assertion=eyJ"))
        variables["AZURE_CLIENT_CERTIFICATE_PATH"] = AzureGolden.path("azure-signatures.py")
        #expect(await azureFailure(variables).contains("holds no certificate"))
    }

    @Test("a workload identity shows the token that lies in its file at that moment")
    func workload() async throws {
        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        var variables = azureApplication
        variables["AZURE_CLIENT_SECRET"] = nil
        variables["AZURE_FEDERATED_TOKEN_FILE"] = try home.write("first.token\n", to: "token")
        variables["AZURE_AUTHORITY_HOST"] = "https://login.microsoftonline.com/"
        let fetcher = ScriptedFetcher { _ in azureTokenAnswer }
        let chain = try azureChain(variables, fetcher)
        #expect(try await chain.credentials(refresh: false).source == "AZURE_FEDERATED_TOKEN_FILE")
        try home.write("second.token", to: "token")
        _ = try await chain.credentials(refresh: true)
        let sent = fetcher.requests.map { $0.text.split(separator: "&").last ?? "" }
        #expect(sent == ["client_assertion=first.token", "client_assertion=second.token"])
    }

    @Test("the machine's identity is asked of its metadata service, which is tried out first")
    func metadata() async throws {
        let fetcher = ScriptedFetcher { request in
            request.header("Metadata") == "true"
                ? (200, "{\"access_token\":\"t\",\"expires_on\":\"1800086400\",\"resource\":\"x\"}") : (400, "{}")
        }
        let found = try await azureCredentials(azureAccount, fetcher)
        #expect(found.token == "t" && found.expiration == Date(timeIntervalSince1970: 1_800_086_400))
        #expect(found.source == "managed identity" && found.identity == "the machine's")
        #expect(
            fetcher.requests.map(\.url) == [
                "http://169.254.169.254/metadata/identity/oauth2/token",
                "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01"
                    + "&resource=https%3A%2F%2Fstorage.azure.com%2F",
            ])
        _ = try await azureCredentials(azureAccount.merging(["AZURE_CLIENT_ID": "client-1"]) { $1 }, fetcher)
        #expect(fetcher.requests.last?.url.hasSuffix("&client_id=client-1") == true)
        let away = await azureFailure(azureAccount)
        #expect(away.contains("managed identity: no answer: connection refused from 169.254.169.254"), "\(away)")
        #expect(away.contains("set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_ACCESS_KEY, or AZURE_STORAGE_SAS_TOKEN"))
        let none = await azureFailure(
            azureAccount,
            ScriptedFetcher { _ in (400, "{\"error\":\"invalid_request\",\"error_description\":\"Identity not found\"}")
            })
        #expect(none.contains("answered 400 invalid_request: Identity not found"), "\(none)")
    }

    @Test("App Service has a service of its own for it")
    func appService() async throws {
        let variables = azureAccount.merging([
            "IDENTITY_ENDPOINT": "http://127.0.0.1:41741/msi/token/", "IDENTITY_HEADER": "hunter2",
            "AZURE_CLIENT_ID": "client-1",
        ]) { $1 }
        let fetcher = ScriptedFetcher { _ in (200, "{\"access_token\":\"t\",\"expires_on\":1800086400}") }
        let found = try await azureCredentials(variables, fetcher)
        #expect(found.source == "managed identity client-1 of IDENTITY_ENDPOINT")
        let request = try #require(fetcher.requests.first)
        #expect(request.header("X-IDENTITY-HEADER") == "hunter2")
        #expect(
            request.url == "http://127.0.0.1:41741/msi/token?api-version=2019-08-01"
                + "&resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=client-1")
    }

    @Test("one of the identities can be chosen, and none of them goes over an open network")
    func choice() async throws {
        let fetcher = ScriptedFetcher { _ in azureTokenAnswer }
        let chosen = azureApplication.merging(["AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"]) { $1 }
        #expect(try await azureCredentials(chosen, fetcher).source == "managed identity")
        let prod = azureApplication.merging(["AZURE_TOKEN_CREDENTIALS": "prod"]) { $1 }
        #expect(try await azureCredentials(prod, fetcher).source == "AZURE_CLIENT_SECRET")
        let open = azureApplication.merging(["AZURE_STORAGE_SERVICE_ENDPOINT": "http://blobs.example"]) { $1 }
        #expect(await azureFailure(open, fetcher).contains("not for a service that is reached by plain http"))
        let local = azureApplication.merging(["AZURE_STORAGE_SERVICE_ENDPOINT": "http://127.0.0.1:10000"]) { $1 }
        #expect(try await azureCredentials(local, fetcher).token == "eyJ.a.b")
    }

    @Test("tokens are replaced before their end")
    func refresh() async throws {
        let clock = HandClock()
        let fetcher = ScriptedFetcher { _ in azureTokenAnswer }
        let chain = try azureChain(azureApplication, fetcher, clock: clock)
        _ = try await chain.credentials(refresh: false)
        clock.advance(3000)
        _ = try await chain.credentials(refresh: false)
        #expect(fetcher.requests.count == 1)
        clock.advance(400)
        _ = try await chain.credentials(refresh: false)
        #expect(fetcher.requests.count == 2)
    }
}
