import Foundation
import Glibc
import TestSupport
import Testing

@testable import CommandKit

/// The programs themselves, as they lie beside the tests.
@Suite struct ProgramTests {
    static func program(_ name: String) -> String {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent(name).path
    }

    /// Runs a program with no variable of a storage but the given ones.
    private func run(_ name: String, _ arguments: [String], _ environment: [String: String] = [:]) throws -> ShellResult
    {
        var variables: [String: String?] = [:]
        for name in ProcessInfo.processInfo.environment.keys
        where name.hasPrefix("AWS_") || name.hasPrefix("ZENITH_") || name.contains("S3_") {
            variables[name] = .some(nil)
        }
        variables["HOME"] = "/nonexistent"
        variables.merge(environment.mapValues { $0 }) { $1 }
        return try TestSupport.run([Self.program(name)] + arguments, environment: variables)
    }

    @Test("version and help are results", arguments: ["zenith", "pageserver", "safekeeper"])
    func versionAndHelp(name: String) throws {
        for arguments in [["--version"], ["config", "--version"], ["config", "check", "--version"]] {
            let version = try run(name, arguments)
            #expect(version.status == 0 && version.output == zenithVersion + "\n" && version.error == "")
        }
        let help = try run(name, ["config", "check", "--help"])
        #expect(help.status == 0 && help.output.contains("--storage-dest <storage>") && help.error == "")
        #expect(!help.output.contains("--storage_dest"))
    }

    @Test(
        "a command line that does not parse exits with 64 after one line that says so",
        arguments: [
            ["config", "check", "--no-such"], ["nonsense"], ["config", "check", "--storage-dest"],
            ["config", "show", "extra"],
        ])
    func usage(arguments: [String]) throws {
        let result = try run("zenith", arguments)
        #expect(result.status == 64)
        #expect(result.output == "")
        #expect(result.error.hasPrefix("zenith: "))
        #expect(!result.error.hasPrefix("zenith: Error"))
    }

    @Test("a faulty configuration exits with 78 and names every fault")
    func faulty() async throws {
        try await withTemporaryDirectory { directory in
            try write("storage_dst = 1\nworkers = 0\n", to: directory + "/zenith.toml")
            let shown = try run("zenith", ["config", "show", "-D", directory])
            #expect(shown.status == 78)
            #expect(
                shown.error == """
                    zenith: the configuration has 2 faults
                      \(directory)/zenith.toml:1: unknown key storage_dst; did you mean storage_dest?
                      \(directory)/zenith.toml:2: workers is not in 1 … 1024

                    """)
            let checked = try run("safekeeper", ["config", "check", "-D", directory])
            #expect(checked.status == 78)
            #expect(checked.output.contains("configuration: faulty"))
        }
    }

    @Test("show prints every value with its origin, as text and as JSON, and no secret")
    func show() async throws {
        try await withTemporaryDirectory { directory in
            try write("snapshot_interval = \"2min\"\n", to: directory + "/zenith.toml")
            let environment = [
                "ZENITH_DIR": directory, "ZENITH_WORKERS": "3", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "do-not-show", "SNAPSHOT_AWS_REGION": "eu-west-1",
                "WALG_S3_PREFIX": "s3://bucket/a",
            ]
            let arguments = ["config", "show", "--storage_dest", "S3_PREFIX", "--snapshot_path=s3://other/b"]
            let text = try run("zenith", arguments, environment)
            #expect(text.status == 0 && text.error == "")
            let lines = text.output.split(separator: "\n").map { line in
                line.split(separator: " ").joined(separator: " ")
            }
            #expect(lines.contains("storage_dest S3_PREFIX option --storage-dest"))
            #expect(lines.contains("workers 3 environment ZENITH_WORKERS"))
            #expect(lines.contains("snapshot_interval 2min file \(directory)/zenith.toml:1"))
            #expect(lines.contains("wal_source - not set"))
            #expect(text.output.contains("\nstorage_dest: s3://bucket/a\n"))
            #expect(text.output.contains("\nsnapshot_path: s3://other/b\n"))
            #expect(text.output.contains("  SNAPSHOT_AWS_REGION = eu-west-1\n"))
            #expect(text.output.contains("  AWS_SECRET_ACCESS_KEY = <redacted>\n"))
            let json = try run("zenith", arguments + ["--json"], environment)
            #expect(!(text.output + json.output).contains("do-not-show"))
            let document = try #require(
                try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
            #expect(document["directory"] as? String == directory)
            #expect((document["settings"] as? [[String: Any]])?.count == Settings.all.count)
        }
    }

    @Test("check proves a local storage and leaves nothing in it")
    func checkLocal() async throws {
        try await withTemporaryDirectory { directory in
            let arguments = ["config", "check", "-D", directory, "--storage-dest", directory + "/storage"]
            let result = try run("zenith", arguments, ["AWS_SECRET_ACESS_KEY": "x"])
            #expect(result.status == 0)
            for fact in ["write", "create-if-absent", "ranged read", "list", "delete"] {
                #expect(result.output.contains("storage_dest   ok       \(fact): "), "\(result.output)")
            }
            #expect(result.output.contains("AWS_SECRET_ACCESS_KEY may be meant"))
            #expect(result.output.hasSuffix("storage_dest: usable\n"))
            let left = FileManager.default.subpaths(atPath: directory + "/storage") ?? []
            #expect(left.filter { $0.contains("probe") } == [])
        }
    }

    @Test("check exits by what has to be put right first")
    func checkVerdicts() throws {
        let keys = ["AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"]
        let away = keys.merging(["AWS_ENDPOINT_URL": "http://127.0.0.1:9"]) { $1 }
        let s3 = ["config", "check", "-D", "/nonexistent", "--storage-dest", "s3://bucket/prefix"]
        #expect(try run("zenith", s3, away).status == 69)
        #expect(try run("zenith", s3 + ["--offline"], away).status == 0)
        let missing = ["AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "true"]
        let refused = try run("zenith", s3, missing)
        #expect(refused.status == 77 && refused.output.contains("credentials: no credentials found"))
        #expect(try run("zenith", s3 + ["--snapshot-path", "ftp://x/y"], away).status == 78)
        let secret = try run("zenith", ["config", "check", "--storage-dest", "s3://key:very-secret@bucket/p"], away)
        #expect(secret.status == 78 && !secret.output.contains("very-secret"))
    }

    @Test("check takes WAL-G's environment for Google Cloud Storage as it is")
    func checkGoogle() async throws {
        let server = try await GoogleServers.fake
        let environment = [
            "WALG_GS_PREFIX": "gs://zenith-test/check-\(UUID().uuidString)", "WALG_GCS_CONTEXT_TIMEOUT": "3600",
            "WALG_GCS_NORMALIZE_PREFIX": "true", "WALG_GCS_MAX_CHUNK_SIZE": "52428800", "WALG_GCS_MAX_RETRIES": "16",
            "WALG_UPLOAD_CONCURRENCY": "16", "STORAGE_EMULATOR_HOST": "http://\(server.authority)",
        ]
        let good = try run("zenith", ["config", "check", "--storage-dest", "GS_PREFIX", "--json"], environment)
        #expect(good.status == 0, "\(good.output)\(good.error)")
        #expect(good.output.contains("\"verdict\" : \"usable\""))
        // The real service, without credentials and without a request.
        let none = ["NO_GCE_CHECK": "true"]
        let refused = try run("zenith", ["config", "check", "--storage-dest", "gs://zenith-test/x"], none)
        #expect(refused.status == 77 && refused.output.contains("set GOOGLE_APPLICATION_CREDENTIALS"))
    }

    @Test("check proves a real S3 service, and says whose credentials it refused")
    func checkS3() async throws {
        let server = try await S3TestServer.seaweed
        let path = "s3://\(server.bucket)/check-\(UUID().uuidString)"
        let good = try run("zenith", ["config", "check", "--storage-dest", path, "--json"], server.environment)
        #expect(good.status == 0, "\(good.output)")
        #expect(good.output.contains("\"verdict\" : \"usable\""))
        var environment = server.environment
        environment["STORAGE_AWS_ACCESS_KEY_ID"] = server.accessKeyID
        environment["STORAGE_AWS_SECRET_ACCESS_KEY"] = "wrong-secret"
        let bad = try run(
            "zenith", ["config", "check", "--storage-dest", path, "--snapshot-path", path], environment)
        #expect(bad.status == 77)
        #expect(bad.output.contains("credentials: STORAGE_AWS_ACCESS_KEY_ID"))
        #expect(bad.output.contains("storage_dest: not usable\nsnapshot_path: usable\n"))
        #expect(!bad.output.contains("wrong-secret"))
    }

    @Test("a credentials file that others can read is pointed out")
    func openSecrets() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory + "/credentials"
            try write("[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n", to: file)
            chmod(file, 0o644)
            let environment = ["AWS_SHARED_CREDENTIALS_FILE": file]
            let arguments = ["config", "check", "--offline", "-D", directory, "--storage-dest", "s3://bucket/p"]
            let result = try run("pageserver", arguments, environment)
            #expect(result.status == 0 && result.output.contains("\(file) can be read by others"))
            #expect(result.output.contains("credentials: profile default of \(file) (key …MPLE)"), "\(result.output)")
            chmod(file, 0o600)
            #expect(try !run("pageserver", arguments, environment).output.contains("can be read by others"))
        }
    }
}
