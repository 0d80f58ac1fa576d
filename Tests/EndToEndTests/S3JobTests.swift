import Foundation
import TestSupport
import Testing

@Suite("the main job on S3", .serialized)
struct S3JobTests {
    private func run(on server: S3TestServer, through authority: String? = nil) async throws {
        var environment: [String: String?] = server.environment.mapValues { $0 }
        if let authority { environment["AWS_ENDPOINT_URL"] = "http://" + authority }
        let work = try Workplace(environment: environment)
        try await job(work, "s3://\(server.bucket)/e2e-\(UUID().uuidString)")
    }

    private func job(_ work: Workplace, _ storage: String) async throws {
        try work.succeed(
            "init", "--storage-dest", storage, "--snapshot-path", try SourceCluster.get().path, "--snapshot-format",
            "pgdata")
        try work.succeed("start")
        let name = try work.succeed("snapshot", "create")
        try work.succeed("stop")
        try FileManager.default.removeItem(atPath: work.directory + "/timelines")
        try work.succeed("start")
        try expectEqualCluster(try work.export(to: "restored"))
        #expect(try work.succeed("snapshot", "verify", name).contains("is sound"))
        try work.succeed("stop")
    }

    @Test("SeaweedFS") func seaweed() async throws { try await run(on: .seaweed) }

    @Test("OpenStack Swift's s3api") func swift() async throws { try await run(on: .swift) }

    @Test("a service without create-if-absent is said to be one", .enabled(if: TestSelection.allStorages))
    func withoutConditions() async throws {
        let server = try await S3TestServer.rclone
        let work = try Workplace(environment: server.environment.mapValues { $0 })
        let storage = "s3://\(server.bucket)/e2e-\(UUID().uuidString)"
        let checked = try work.zenith("config", "check", "--storage-dest", storage)
        #expect(
            checked.status == 0 && checked.output.contains("create-if-absent: checked before writing"),
            "\(checked.output)")
        let made = try work.zenith(
            "init", "--storage-dest", storage, "--snapshot-path", try SourceCluster.get().path, "--snapshot-format",
            "pgdata")
        #expect(made.status == 0 && made.error.contains("has no create-if-absent"), "\(made.error)")
        try work.succeed("start")
        try work.succeed("snapshot", "create")
        let log = try String(contentsOfFile: work.directory + "/pageserver.log", encoding: .utf8)
        #expect(log.contains("has no create-if-absent"))
        try work.succeed("stop")
        try expectEqualCluster(try work.export(to: "restored"))
    }

    @Test("frames that were fetched are kept: an export needs the storage for nothing but the listing then")
    func cached() async throws {
        let server = try await S3TestServer.seaweed
        let proxy = try await FaultProxy(to: server.authority)
        var environment: [String: String?] = server.environment.mapValues { $0 }
        environment["AWS_ENDPOINT_URL"] = "http://" + proxy.authority
        environment["S3_MAX_RETRIES"] = "1"
        let work = try Workplace(environment: environment)
        try work.succeed(
            "init", "--storage-dest", "s3://\(server.bucket)/e2e-\(UUID().uuidString)", "--snapshot-path",
            try SourceCluster.get().path, "--snapshot-format", "pgdata")
        try work.succeed("snapshot", "create")
        try FileManager.default.removeItem(atPath: work.directory + "/timelines")
        try expectEqualCluster(try work.export(to: "first"))
        try await proxy.set(FaultProxy.Rule.internalError.on("GET", "pack-", times: 1_000_000))
        try expectEqualCluster(try work.export(to: "second"))
        try FileManager.default.removeItem(atPath: work.directory + "/timelines")
        try work.fail(
            ["export", "--snapshot-path", work.path + "/third", "--snapshot-format", "pgdata"], 69, "InternalError")
    }

    @Test("a network and a service that fail now and then: the push completes, and the export is the same")
    func faults() async throws {
        let server = try await S3TestServer.seaweed
        let proxy = try await FaultProxy(to: server.authority)
        try await proxy.set([
            .internalError.on("PUT", "pack-", times: 1),
            .slowDown(retryAfter: 1).on("PUT", "pack-", skip: 1, times: 1),
            .loseAnswer.on("PUT", "zenith.json", times: 1),
            .loseAnswer.on("PUT", "manifest", times: 1),
            .resetUpload(at: 100_000).on("PUT", "pack-", skip: 2, times: 1),
            .internalErrorAfterwards.on("PUT", "generations", times: 1),
            .truncate(at: 60_000).on("GET", "pack-", times: 2),
            .corrupt(at: 5000).on("GET", "pack-", skip: 2, times: 1),
            .resetDownload(at: 30_000).on("GET", "pack-", skip: 3, times: 1),
            .internalError.on("GET", "manifest", times: 1),
            .slowDown(retryAfter: 1).on("GET", "list-type", times: 1),
        ])
        try await run(on: server, through: proxy.authority)
        #expect(try await proxy.counts().filter { $0 > 0 }.count >= 8)
    }

    @Test("refusals")
    func refusals() async throws {
        let server = try await S3TestServer.swift
        let environment: [String: String?] = server.environment.mapValues { $0 }
        let work = try Workplace(environment: environment)
        let storage = "s3://\(server.bucket)/e2e-\(UUID().uuidString)"
        try work.fail(
            ["init", "--storage-dest", storage], 77, "SignatureDoesNotMatch",
            environment: [
                "AWS_SECRET_ACCESS_KEY": "wrong"
            ])
        try work.fail(["init", "--storage-dest", "s3://no-such-bucket-here/x"], 1, "no-such-bucket-here")
        try work.fail(
            ["init", "--storage-dest", storage], 69, "127.0.0.1:9",
            environment: [
                "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "S3_MAX_RETRIES": "1",
            ])
        #expect(!FileManager.default.fileExists(atPath: work.directory + "/zenith.toml"))
        // Each storage has its own credentials: the unprefixed ones are wrong here.
        try work.succeed(
            "init", "--storage-dest", storage,
            environment: [
                "AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "wrong",
                "STORAGE_AWS_ACCESS_KEY_ID": server.accessKeyID,
                "STORAGE_AWS_SECRET_ACCESS_KEY": server.secretAccessKey,
            ])
        let check = try work.zenith("config", "check")
        #expect(check.status == 0, "\(check.output)")
    }

    @Test("a data directory as objects: exported to S3, imported from there")
    func dataDirectoryAsObjects() async throws {
        let server = try await S3TestServer.seaweed
        let environment: [String: String?] = server.environment.mapValues { $0 }
        let work = try Workplace(environment: environment)
        let prefix = "s3://\(server.bucket)/e2e-\(UUID().uuidString)"
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format",
            "pgdata")
        try work.succeed("export", "--snapshot-path", prefix, "--snapshot-format", "pgdata")
        try work.fail(["export", "--snapshot-path", prefix, "--snapshot-format", "pgdata"], 73, "not empty")
        try work.succeed(
            "init", "-D", "second", "--storage-dest", work.path + "/other", "--snapshot-path", prefix,
            "--snapshot-format", "pgdata")
        let export = work.path + "/restored"
        try work.succeed("export", "-D", "second", "--snapshot-path", export, "--snapshot-format", "pgdata")
        try expectEqualCluster(export)
    }

    @Test("from one account's storage into another's, each with its own keys, which the other does not take")
    func twoIdentities() async throws {
        let (theirs, ours) = (try await S3TestServer.seaweed, try await S3TestServer.swift)
        let from = "s3://\(theirs.bucket)/e2e-\(UUID().uuidString)"
        let target = "s3://\(ours.bucket)/e2e-\(UUID().uuidString)"
        let first = try Workplace(environment: theirs.environment.mapValues { $0 })
        try first.succeed(
            "init", "--storage-dest", from, "--snapshot-path", try SourceCluster.get().path, "--snapshot-format",
            "pgdata")
        try first.succeed("snapshot", "create")

        let both = theirs.environment(prefix: "SNAPSHOT_").merging(ours.environment(prefix: "STORAGE_")) { $1 }
        let second = try Workplace(environment: both.mapValues { $0 })
        let command = [
            "init", "--storage-dest", target, "--snapshot-path", from, "--snapshot-format", "zenith",
        ]
        // With the keys of the one at the other nothing is read, and with those of the other nothing written.
        for (role, server) in [("SNAPSHOT", ours), ("STORAGE", theirs)] {
            try second.fail(
                command, 77, "\(role)_AWS_ACCESS_KEY_ID",
                environment: [
                    "\(role)_AWS_ACCESS_KEY_ID": server.accessKeyID,
                    "\(role)_AWS_SECRET_ACCESS_KEY": server.secretAccessKey,
                ])
        }
        #expect(!FileManager.default.fileExists(atPath: second.directory + "/zenith.toml"))
        let result = try second.zenith(command)
        try #require(result.status == 0, "\(result.error)")
        try FileManager.default.removeItem(atPath: first.path)
        try expectEqualCluster(try second.export(to: "restored"))
    }
}
