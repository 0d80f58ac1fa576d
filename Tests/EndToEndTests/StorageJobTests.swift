import Foundation
import TestSupport
import Testing

/// One of the storages that S3JobTests and SSHJobTests do not cover, as a user's environment names it.
enum JobStorage: String, CaseIterable, CustomTestStringConvertible {
    case gs, azure, swift, oss

    var testDescription: String { rawValue }

    /// The variables that a user sets, and the location.
    func place() async throws -> (environment: [String: String?], location: String) {
        let folder = "zenith-test/e2e-\(UUID().uuidString)"
        switch self {
        case .gs:
            let server = try await GoogleServers.fake
            return (["STORAGE_EMULATOR_HOST": server.authority], "gs://\(folder)")
        case .azure:
            // The account and the key that Microsoft has published for its emulator.
            let server = try await TestServer.start("azurescripted", ports: 3)
            return (
                [
                    "AZURE_STORAGE_SERVICE_ENDPOINT": "http://\(server.authority)/devstoreaccount1",
                    "AZURE_STORAGE_ACCOUNT": "devstoreaccount1",
                    "AZURE_STORAGE_ACCESS_KEY":
                        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
                ], "azure://\(folder)"
            )
        case .swift:
            return (try await SwiftTestServer.openStack.environment.mapValues { $0 }, "swift://\(folder)")
        case .oss:
            let server = try await TestServer.start("ossscripted", ports: 2)
            return (
                [
                    "OSS_ENDPOINT": "http://\(server.authority)", "OSS_ACCESS_KEY_ID": "zenithkey",
                    "OSS_ACCESS_KEY_SECRET": "zenithsecret", "OSS_REGION": "cn-hangzhou",
                ], "oss://\(folder)"
            )
        }
    }
}

@Suite("the main job on every storage", .serialized, .enabled(if: TestSelection.allStorages))
struct StorageJobTests {
    @Test("check, init, push, lose the disk, start again, export", arguments: JobStorage.allCases)
    func job(storage: JobStorage) async throws {
        let (environment, location) = try await storage.place()
        let work = try Workplace(environment: environment)
        let checked = try work.zenith("config", "check", "--thorough", "--storage-dest", location)
        #expect(checked.status == 0 && !checked.output.contains("  failed"), "\(checked.output)\(checked.error)")
        try work.succeed(
            "init", "--storage-dest", location, "--snapshot-path", try SourceCluster.get().path, "--snapshot-format",
            "pgdata")
        try work.succeed("start")
        let name = try work.succeed("snapshot", "create")
        try work.succeed("stop")
        try FileManager.default.removeItem(atPath: work.directory + "/timelines")
        try work.succeed("start")
        try expectEqualCluster(try work.export(to: "restored"))
        #expect(try work.succeed("snapshot", "verify", name).contains("is sound"))
        try work.succeed("stop")
        #expect(try work.succeed("storage", "ls", location + "/timelines/").contains("/"))
        try work.succeed("storage", "rm", "--recursive", "--force", location)
        #expect(try work.succeed("storage", "ls", "--recursive", location) == "")
    }
}
