import StorageURI
import Testing

func azureSettings(_ variables: [String: String], role: StorageRole? = nil) throws(SettingsError) -> AzureSettings {
    try AzureSettings(RoleEnvironment(variables, role: role))
}

@Suite("settings of azure")
struct AzureSettingsTests {
    private func faults(_ variables: [String: String], role: StorageRole? = nil) -> String {
        do throws(SettingsError) {
            _ = try azureSettings(variables, role: role)
            return ""
        } catch { return error.description }
    }

    @Test("the defaults are those of WAL-G, on Azure's own hosts")
    func defaults() throws {
        let plain = try azureSettings(["AZURE_STORAGE_ACCOUNT": "acc"])
        #expect(plain.service.text == "https://acc.blob.core.windows.net" && plain.service.account == "acc")
        #expect(plain.partSizeBytes == 8 << 20 && plain.requestTimeout == .seconds(300))
        #expect(plain.common.uploadConcurrency == 4 && plain.maximumRetries == 10)
        #expect(faults([:]).contains("AZURE_STORAGE_ACCOUNT: is not set"))
        #expect(faults([:], role: .wal).contains("WAL_AZURE_STORAGE_ACCOUNT: is not set"))
    }

    @Test(
        "the service follows from account, cloud, suffix or endpoint",
        arguments: [
            (["AZURE_ENVIRONMENT_NAME": "AzureUSGovernmentCloud"], "https://acc.blob.core.usgovcloudapi.net"),
            (["AZURE_ENVIRONMENT_NAME": "AzureChinaCloud"], "https://acc.blob.core.chinacloudapi.cn"),
            (["WALG_AZURE_ENVIRONMENT_NAME": "AzureGermanCloud"], "https://acc.blob.core.cloudapi.de"),
            (["AZURE_ENVIRONMENT_NAME": "azurepubliccloud"], "https://acc.blob.core.windows.net"),
            (["AZURE_ENVIRONMENT_NAME": "AzureCloud"], "https://acc.blob.core.windows.net"),
            (["AZURE_ENDPOINT_SUFFIX": "local.azurestack.external"], "https://acc.blob.local.azurestack.external"),
            (
                ["AZURE_ENDPOINT_SUFFIX": ".x.example", "AZURE_ENVIRONMENT_NAME": "AzureChinaCloud"],
                "https://acc.blob.x.example"
            ),
            (["AZURE_STORAGE_SERVICE_ENDPOINT": "http://127.0.0.1:10000"], "http://127.0.0.1:10000/acc"),
            (["AZURE_STORAGE_BLOB_ENDPOINT": "http://localhost:10000/acc/"], "http://localhost:10000/acc"),
            (["AZURE_STORAGE_ENDPOINT": "http://azurite:10000"], "http://azurite:10000/acc"),
            (["AZURE_STORAGE_SERVICE_ENDPOINT": "blobs.example.org"], "https://blobs.example.org"),
        ])
    func services(variables: [String: String], url: String) throws {
        let read = try azureSettings(variables.merging(["AZURE_STORAGE_ACCOUNT": "acc"]) { $1 })
        #expect(read.service.text == url && read.service.account == "acc")
    }

    @Test(
        "the account is taken from the endpoint where no variable names it",
        arguments: [
            ("https://acc.blob.core.windows.net", "acc"),
            ("http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1"),
            ("https://acc.z12.blob.storage.azure.net", "acc"), ("http://[::1]:10000/acc", "acc"),
            ("https://blobs.example.org", nil),
        ])
    func accounts(endpoint: String, account: String?) throws {
        #expect(try azureSettings(["AZURE_STORAGE_SERVICE_ENDPOINT": endpoint]).service.account == account)
    }

    @Test(
        "a connection string names account and service",
        arguments: [
            (
                "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5;EndpointSuffix=core.windows.net",
                "https://acc.blob.core.windows.net", "acc"
            ),
            ("accountname=acc;AccountKey=a2V5==;", "https://acc.blob.core.windows.net", "acc"),
            (
                "DefaultEndpointsProtocol=http;AccountName=acc;EndpointSuffix=x.example", "http://acc.blob.x.example",
                "acc"
            ),
            (
                "AccountName=acc;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:10000/acc;QueueEndpoint=http://q/acc",
                "http://127.0.0.1:10000/acc", "acc"
            ),
            (
                "BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=sv=2020&sig=a%3D",
                "https://acc.blob.core.windows.net", "acc"
            ),
            ("UseDevelopmentStorage=true", "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1"),
            (
                "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite",
                "http://azurite:10000/devstoreaccount1", "devstoreaccount1"
            ),
        ])
    func connectionStrings(text: String, url: String, account: String) throws {
        let read = try azureSettings(["AZURE_STORAGE_CONNECTION_STRING": text])
        #expect(read.service.text == url && read.service.account == account)
    }

    @Test("limits are read, as WAL-G understands them")
    func limits() throws {
        let read = try azureSettings([
            "AZURE_STORAGE_ACCOUNT": "acc", "AZURE_BUFFER_SIZE": "33554432", "AZURE_MAX_BUFFERS": "3",
            "UPLOAD_CONCURRENCY": "9", "AZURE_TRY_TIMEOUT": "2", "AZURE_BLOB_STORE_API_VERSION": "2019-12-12",
            "AZURE_MAX_RETRIES": "1",
        ])
        #expect(read.partSizeBytes == 32 << 20 && read.common.uploadConcurrency == 3)
        #expect(read.requestTimeout == .seconds(120) && read.apiVersion == "2019-12-12" && read.maximumRetries == 1)
        let others = try azureSettings([
            "AZURE_STORAGE_ACCOUNT": "acc", "AZURE_BUFFER_SIZE": "1024", "AZURE_TRY_TIMEOUT": "0",
            "UPLOAD_CONCURRENCY": "9",
        ])
        #expect(others.partSizeBytes == 1 << 20 && others.requestTimeout == nil && others.common.uploadConcurrency == 9)
    }

    @Test(
        "what is wrong is told, and no secret with it",
        arguments: [
            (["AZURE_STORAGE_ACCOUNT": "My_Account"], "AZURE_STORAGE_ACCOUNT: is “My_Account”; an account's name"),
            (["AZURE_ENVIRONMENT_NAME": "AzureMoonCloud"], "which is none of Azure's clouds: AzurePublicCloud"),
            (["AZURE_ENDPOINT_SUFFIX": "a b"], "AZURE_ENDPOINT_SUFFIX: is not the end of a host name"),
            (["AZURE_STORAGE_SERVICE_ENDPOINT": "ftp://x"], "it must be a URL of http or https"),
            (["AZURE_STORAGE_SERVICE_ENDPOINT": "https://x.blob.y/?sig=hunter2"], "has a query"),
            (["AZURE_TRY_TIMEOUT": "soon"], "AZURE_TRY_TIMEOUT: is not a number of minutes"),
            (["AZURE_BLOB_STORE_API_VERSION": "latest"], "AZURE_BLOB_STORE_API_VERSION: is not a date"),
            (["AZURE_STORAGE_CONNECTION_STRING": "hunter2"], "a part that is not Name=value"),
            (["AZURE_STORAGE_CONNECTION_STRING": "AccountKey=hunter2"], "names neither AccountName nor BlobEndpoint"),
            (
                ["AZURE_STORAGE_CONNECTION_STRING": "AccountName=other;AccountKey=hunter2"],
                "AZURE_STORAGE_ACCOUNT: is “acc”, but AZURE_STORAGE_CONNECTION_STRING is for the account “other”"
            ),
            (
                ["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;BlobEndpoint=nowhere at all"],
                "its BlobEndpoint is not"
            ),
            (
                ["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc", "AZURE_STORAGE_SERVICE_ENDPOINT": "http://x"],
                "AZURE_STORAGE_SERVICE_ENDPOINT: is set as well as AZURE_STORAGE_CONNECTION_STRING"
            ),
        ])
    func wrong(variables: [String: String], words: String) {
        let text = faults(["AZURE_STORAGE_ACCOUNT": "acc"].merging(variables) { $1 })
        #expect(text.contains(words) && !text.contains("hunter2"), "\(text)")
    }

    @Test("a role's own account or endpoint goes before the unprefixed connection string")
    func roles() throws {
        let shared = ["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=a2V5"]
        #expect(try azureSettings(shared, role: .snapshot).service.account == "acc")
        let own = shared.merging(["SNAPSHOT_AZURE_STORAGE_ACCOUNT": "own"]) { $1 }
        #expect(try azureSettings(own, role: .snapshot).service.text == "https://own.blob.core.windows.net")
        #expect(try azureSettings(own, role: .storage).service.account == "acc")
        let endpoint = [
            "AZURE_STORAGE_ACCOUNT": "acc", "SNAPSHOT_AZURE_STORAGE_SERVICE_ENDPOINT": "http://127.0.0.1:10000",
        ]
        #expect(try azureSettings(endpoint, role: .snapshot).service.text == "http://127.0.0.1:10000/acc")
    }

    @Test("an environment as WAL-G's documentation has it is understood")
    func walg() throws {
        let environment = RoleEnvironment(
            [
                "WALG_AZ_PREFIX": "azure://test-container/walg-folder", "AZURE_STORAGE_ACCOUNT": "acc",
                "AZURE_STORAGE_ACCESS_KEY": "a2V5", "AZURE_ENVIRONMENT_NAME": "AzurePublicCloud",
                "AZURE_BUFFER_SIZE": "33554432", "AZURE_MAX_BUFFERS": "2",
            ], role: .storage)
        let inspection = try AzureSettings.inspect(environment)
        #expect(inspection.warnings.isEmpty)
        #expect(inspection.facts.first?.detail == "https://acc.blob.core.windows.net (AZURE_STORAGE_ACCOUNT)")
        #expect(inspection.variables.contains { $0.name == "AZURE_STORAGE_ACCESS_KEY" && $0.text == nil })
    }
}
