import Testing

@testable import StorageURI

@Suite("settings of gs")
struct GoogleCloudSettingsTests {
    private static let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    private func settings(_ variables: [String: String], role: StorageRole? = nil) throws -> GoogleCloudSettings {
        try GoogleCloudSettings(environment: RoleEnvironment(variables, role: role))
    }

    @Test("without variables all is Google's")
    func defaults() throws {
        let found = try settings([:])
        #expect(found.endpoint == "https://storage.googleapis.com" && found.isGoogle && !found.isEmulator)
        #expect(found.chunkBytes == 16 << 20 && found.maximumRetries == 10 && found.encryptionKey == nil)
    }

    @Test(
        "an endpoint is taken in gcloud's form and as Google's libraries take it",
        arguments: [
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "https://storage-me.p.googleapis.com/storage/v1/", true),
            ("GOOGLE_STORAGE_CUSTOM_ENDPOINT", "https://storage-me.p.googleapis.com", true),
            ("STORAGE_EMULATOR_HOST", "http://localhost:9023", false),
            ("STORAGE_EMULATOR_HOST", "localhost:9023", false),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "https://googleapis.com.example.com", false),
        ])
    func endpoints(name: String, value: String, isGoogle: Bool) throws {
        let found = try settings([name: value])
        #expect(found.isGoogle == isGoogle && found.isEmulator == (name == "STORAGE_EMULATOR_HOST"))
        let expected =
            isGoogle ? "https://storage-me.p.googleapis.com" : value.hasPrefix("h") ? value : "http://\(value)"
        #expect(found.endpoint == expected)
    }

    @Test("what WAL-G reads is read, with its prefix and a role's")
    func walg() throws {
        let variables = [
            "WALG_GS_PREFIX": "gs://x4m-test-bucket/walg-folder", "WALG_GCS_CONTEXT_TIMEOUT": "3600",
            "WALG_GCS_NORMALIZE_PREFIX": "true", "WALG_GCS_ENCRYPTION_KEY": Self.key,
            "WALG_GCS_MAX_CHUNK_SIZE": "52428801", "WALG_GCS_MAX_RETRIES": "16", "WALG_UPLOAD_CONCURRENCY": "7",
            "SNAPSHOT_WALG_GCS_MAX_RETRIES": "3", "GOOGLE_APPLICATION_CREDENTIALS": "/etc/gcs.json",
        ]
        let found = try settings(variables)
        #expect(found.requestTimeout == .seconds(3600) && found.maximumRetries == 16)
        #expect(found.chunkBytes == 52_690_944 && found.chunkBytes % GoogleCloudSettings.chunkUnit == 0)
        #expect(found.common.uploadConcurrency == 7)
        #expect(
            found.encryptionKey.flatMap(GoogleCloudSettings.decodeKey) == Array("0123456789abcdef0123456789abcdef".utf8)
        )
        #expect(try settings(variables, role: .snapshot).maximumRetries == 3)

        let inspection = try GoogleCloudSettings.inspect(environment: RoleEnvironment(variables, role: nil))
        #expect(inspection.facts.contains { $0.name == "service" && $0.detail == "Google Cloud Storage" })
        #expect(inspection.warnings.map(\.variable) == ["WALG_GCS_NORMALIZE_PREFIX"])
        #expect(inspection.secretFiles.first == "/etc/gcs.json")
        let shown = inspection.variables.first { $0.name == "WALG_GCS_ENCRYPTION_KEY" }
        #expect(shown != nil && shown?.text == nil)
    }

    @Test("all faults are told at once, without a secret")
    func faults() {
        let variables = [
            "STORAGE_EMULATOR_HOST": "ftp://x", "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": "http://far.example",
            "GCS_ENCRYPTION_KEY": "hunter2", "GCS_MAX_CHUNK_SIZE": "1000", "GCS_MAX_RETRIES": "many",
            "GCS_CONTEXT_TIMEOUT": "0", "GOOGLE_CLOUD_QUOTA_PROJECT": "a b",
        ]
        let error = #expect(throws: SettingsError.self) { try settings(variables) }
        let text = error?.description ?? ""
        for part in [
            "STORAGE_EMULATOR_HOST: is set as well as CLOUDSDK", "GCS_ENCRYPTION_KEY: is not 32 bytes",
            "GCS_ENCRYPTION_KEY: would be sent unencrypted", "GCS_MAX_CHUNK_SIZE: is 1000", "GCS_MAX_RETRIES: is not",
            "GCS_CONTEXT_TIMEOUT: is 0 ms", "GOOGLE_CLOUD_QUOTA_PROJECT: is not the name",
        ] { #expect(text.contains(part), "\(text)") }
        #expect(!text.contains("hunter2"))
    }
}
