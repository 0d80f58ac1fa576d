import Testing

@testable import StorageURI

@Suite("credentials of azure: two roles, two identities")
struct AzureIdentityTests {
    let unprefixed = ["AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_ACCESS_KEY": "cGxhaW4="]

    private func with(_ variables: [String: String]) -> [String: String] { unprefixed.merging(variables) { $1 } }

    @Test("a role without anything of its own takes the unprefixed set; with, no part of it")
    func sets() async throws {
        #expect(try await azureCredentials(unprefixed, role: .snapshot).key == "cGxhaW4=")
        let own = with(["SNAPSHOT_AZURE_STORAGE_ACCOUNT": "own", "SNAPSHOT_AZURE_STORAGE_ACCESS_KEY": "b3du"])
        let found = try await azureCredentials(own, role: .snapshot)
        #expect(found.key == "b3du" && found.identity == "account own")
        #expect(found.source == "SNAPSHOT_AZURE_STORAGE_ACCESS_KEY")
        #expect(try await azureCredentials(own, role: .storage).key == "cGxhaW4=")
        let half = await azureFailure(with(["SNAPSHOT_AZURE_STORAGE_ACCESS_KEY": "b3du"]), role: .snapshot)
        #expect(half.contains("SNAPSHOT_AZURE_STORAGE_ACCESS_KEY: is set, but SNAPSHOT_AZURE_STORAGE_ACCOUNT is not"))
        let signature = with(["SNAPSHOT_AZURE_STORAGE_SAS_TOKEN": "sig=x"])
        #expect(try await azureCredentials(signature, role: .snapshot).query == "sig=x")
        let client = await azureFailure(with(["SNAPSHOT_AZURE_CLIENT_SECRET": "x"]), role: .snapshot)
        #expect(client.contains("SNAPSHOT_AZURE_CLIENT_SECRET: is set, but SNAPSHOT_AZURE_TENANT_ID is not"))
    }

    @Test(
        "nothing is sent to a service of a role's own but what is given for it",
        arguments: [
            ["SNAPSHOT_AZURE_STORAGE_ACCOUNT": "own"],
            ["SNAPSHOT_AZURE_STORAGE_SERVICE_ENDPOINT": "https://stranger.example"],
            ["SNAPSHOT_AZURE_ENDPOINT_SUFFIX": "stranger.example"],
            ["SNAPSHOT_AZURE_ENVIRONMENT_NAME": "AzureChinaCloud"],
            ["SNAPSHOT_AZURE_AUTHORITY_HOST": "https://stranger.example"],
        ])
    func strangers(own: [String: String]) async throws {
        let fetcher = ScriptedFetcher { _ in azureTokenAnswer }
        let variables = azureApplication.merging(own) { $1 }
        let text = await azureFailure(variables, role: .snapshot, fetcher)
        #expect(text.contains("names a service of its own") && text.contains("SNAPSHOT_CREDENTIALS=inherit"), "\(text)")
        #expect(fetcher.requests.isEmpty)
        let inherit = variables.merging(["SNAPSHOT_CREDENTIALS": "inherit"]) { $1 }
        #expect(try await azureCredentials(inherit, role: .snapshot, fetcher).token == "eyJ.a.b")
        // Made where it is always made.
        #expect(fetcher.requests.first?.url.hasPrefix("https://login.microsoftonline.com/") == true)
        #expect(try await azureCredentials(variables, role: .storage, fetcher).token == "eyJ.a.b")
    }

    @Test("an inherited key is not used for another account than its own")
    func foreignAccount() async {
        let variables = with(["SNAPSHOT_AZURE_STORAGE_ACCOUNT": "own", "SNAPSHOT_CREDENTIALS": "inherit"])
        let text = await azureFailure(variables, role: .snapshot)
        #expect(text.contains("is the key of the account “acc”, and the storage is in “own”"), "\(text)")
        let connected = await azureFailure(
            [
                "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=a2V5",
                "SNAPSHOT_AZURE_STORAGE_ACCOUNT": "own", "SNAPSHOT_CREDENTIALS": "inherit",
            ], role: .snapshot)
        #expect(connected.contains("is for the account “acc”, and the storage is in “own”"), "\(connected)")
    }

    @Test("a role's own client is one of the machine's identities; without one the machine is not asked")
    func managed() async throws {
        let fetcher = ScriptedFetcher { _ in (200, "{\"access_token\":\"t\",\"expires_in\":\"3600\"}") }
        let client = with(["SNAPSHOT_AZURE_CLIENT_ID": "client-2"])
        #expect(try await azureCredentials(client, role: .snapshot, fetcher).identity == "client client-2")
        let machine = client.merging(["IDENTITY_ENDPOINT": "http://127.0.0.1:1/msi", "IDENTITY_HEADER": "h"]) { $1 }
        _ = try await azureCredentials(machine, role: .snapshot, fetcher)
        #expect(fetcher.requests.last?.url.hasPrefix("http://127.0.0.1:1/msi?") == true)
        let silent = ScriptedFetcher { _ in azureTokenAnswer }
        let tenant = await azureFailure(with(["SNAPSHOT_AZURE_TENANT_ID": "t"]), role: .snapshot, silent)
        #expect(tenant.contains("managed identity: not for this role") && silent.requests.isEmpty, "\(tenant)")
    }
}
