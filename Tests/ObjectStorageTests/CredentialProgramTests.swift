import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// A home directory whose profile `program` gets its keys from a shell script.
private final class ProgramHome {
    let directory: TemporaryDirectory
    let script: String

    init(_ body: String, arguments: String = "", more: String = "") throws {
        directory = try TemporaryDirectory()
        script = directory.path + "/my keys.sh"
        try "#!/bin/sh\n\(body)\n".write(toFile: script, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        let profile = "[profile program]\ncredential_process = '\(script)' \(arguments)\n\(more)"
        try FileManager.default.createDirectory(atPath: directory.path + "/.aws", withIntermediateDirectories: true)
        try profile.write(toFile: directory.path + "/.aws/config", atomically: true, encoding: .utf8)
    }

    var variables: [String: String] {
        [
            "HOME": directory.path, "AWS_PROFILE": "program", "PATH": "/usr/bin:/bin",
            "AWS_EC2_METADATA_DISABLED": "true",
        ]
    }

    func provider(http: any HTTPFetcher = HTTPTransport()) -> any AWSCredentialProvider {
        AWSCredentialChain.make(
            environment: RoleEnvironment(variables, role: nil), region: nil, http: http, programs: LocalPrograms())
    }

    func keys() async throws -> AWSCredentials { try await provider().credentials(refresh: false) }

    func failure() async -> String {
        do { return "no failure, but \(try await keys().accessKeyID)" } catch { return "\(error)" }
    }
}

/// The contract of Amazon's libraries for `credential_process`, with real programs.
@Suite("credentials of s3 by a program", .timeLimit(.minutes(30)))
struct CredentialProgramTests {
    private static func document(_ id: String, _ more: String = "") -> String {
        "{\"Version\": 1, \"AccessKeyId\": \"\(id)\", \"SecretAccessKey\": \"hunter2-secret\"\(more)}"
    }

    @Test("its standard output is read, and nothing else; its arguments are those of the line, by no shell")
    func output() async throws {
        let home = try ProgramHome(
            "echo 'a warning' >&2; read -r line; printf '{\"Version\":1,\"AccessKeyId\":\"%s\",' \"$1|$2|$line\"; "
                + "printf '\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"2040-01-01T00:00:00Z\"}'",
            arguments: "'two words' $HOME;true")
        let keys = try await home.keys()
        #expect(keys.accessKeyID == "two words|$HOME;true|")
        #expect(keys.secretAccessKey.reveal() == "s" && keys.sessionToken?.reveal() == "t")
        #expect(keys.expiration == Date(timeIntervalSince1970: 2_208_988_800))
        #expect(keys.source == "profile program, program my keys.sh")
    }

    @Test("keys without an end are kept; with one they are fetched anew before it")
    func expiration() async throws {
        let log = try TemporaryDirectory().path + "-runs"
        defer { try? FileManager.default.removeItem(atPath: log) }
        func runs() throws -> Int { try String(contentsOfFile: log, encoding: .utf8).count }
        let lasting = try ProgramHome("printf x >>'\(log)'; echo '\(Self.document("AKLASTING"))'")
        let provider = lasting.provider()
        for _ in 0..<3 { #expect(try await provider.credentials(refresh: false).accessKeyID == "AKLASTING") }
        #expect(try runs() == 1)
        _ = try await provider.credentials(refresh: true)
        #expect(try runs() == 2)

        let end = "\\\"Expiration\\\": \\\"$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)\\\""
        let body = Self.document("AK$$").replacing("\"", with: "\\\"").dropLast() + ", \(end)}"
        let shortLived = try ProgramHome("printf x >>'\(log)'; echo \"\(body)\"")
        defer { withExtendedLifetime((lasting, shortLived)) {} }
        let short = shortLived.provider()
        let first = try await short.credentials(refresh: false)
        #expect(first.expiration != nil)
        while try await short.credentials(refresh: false).accessKeyID == first.accessKeyID {
            try await Task.sleep(for: .milliseconds(200))
        }
        #expect(try runs() >= 4)
    }

    @Test(
        "what goes wrong is said, with the profile and no secret",
        arguments: [
            (
                "echo 'first: no card' >&2; echo 'second hunter2-secret' >&2; exit 3",
                "ended with code 3: first: no card"
            ),
            ("exit 7", "ended with code 7"),
            ("echo \"bad password $2 for $1\" >&2; exit 1", "bad password <redacted> for --user"),
            ("kill -9 $$", "was killed by signal 9"),
            ("echo hunter2-secret", "did not print the JSON expected"),
            ("echo '\(document("AK"))' | sed s/1,/2,/", "has Version 2; only 1 is known"),
            ("echo '{\"AccessKeyId\": \"hunter2-secret\"}'", "has no Version"),
            ("echo '{\"Version\": 1, \"AccessKeyId\": \"A\"}'", "printed no AccessKeyId and SecretAccessKey"),
            ("echo '\(document("AK", ", \"Expiration\": \"soon\""))'", "is not a time"),
        ])
    func failures(body: String, part: String) async throws {
        let text = try await ProgramHome(body, arguments: "--user 'hunter2-secret'").failure()
        #expect(text.hasPrefix("profile program, program my keys.sh: ") && text.contains(part), "\(text)")
        #expect(!text.contains("hunter2"), "\(text)")
    }

    @Test(
        "a line that names nothing that runs is said to",
        arguments: [
            ("/nonexistent/keys", "cannot be started: No such file"), ("no-such-program-here", "in PATH"),
            ("'unended", "quotation mark"), ("''", "names no program"), ("/etc/passwd", "cannot be started"),
        ])
    func noProgram(line: String, part: String) async throws {
        let home = try ProgramHome("")
        try "[profile program]\ncredential_process = \(line)\n".write(
            toFile: home.directory.path + "/.aws/config", atomically: true, encoding: .utf8)
        let text = await home.failure()
        #expect(text.hasPrefix("profile program") && text.contains(part), "\(text)")
    }

    @Test("one that does not end is ended, with what it has started, and so is one that nobody waits for any more")
    func timeout() async throws {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/children"
        let request = ProgramRequest(
            program: "sh", arguments: ["-c", "sleep 600 & echo $! >'\(file)'; echo begun; wait"],
            environment: ["PATH": "/usr/bin:/bin"], timeout: .seconds(1))
        func isRunning() throws -> Bool {
            let pid = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)
            // A process that has ended may wait for its parent to notice.
            let state = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            return state.map { !$0.contains(") Z ") } ?? false
        }
        let result = try await LocalPrograms().run(request)
        #expect(result.ending == .timedOut && result.output == Array("begun\n".utf8))
        while try isRunning() { try await Task.sleep(for: .milliseconds(20)) }

        try FileManager.default.removeItem(atPath: file)
        var patient = request
        patient.timeout = .seconds(600)
        let run = Task { [patient] in try await LocalPrograms().run(patient) }
        while !FileManager.default.fileExists(atPath: file) { try await Task.sleep(for: .milliseconds(20)) }
        run.cancel()
        await #expect(throws: CancellationError.self) { try await run.value }
        while try isRunning() { try await Task.sleep(for: .milliseconds(20)) }
    }

    @Test("a long output ends neither the program nor this one")
    func longOutput() async throws {
        let request = ProgramRequest(
            program: "sh", arguments: ["-c", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 4"],
            environment: [:], timeout: .seconds(60))
        let result = try await LocalPrograms().run(request)
        #expect(result.ending == .exited(4) && result.output.count == 64 << 10 && result.errors.count == 64 << 10)
    }

    @Test("a real service takes keys that a program printed")
    func service() async throws {
        let server = try await S3TestServer.seaweed
        let home = try ProgramHome(
            "echo '{\"Version\":1,\"AccessKeyId\":\"\(server.accessKeyID)\",\"SecretAccessKey\":\"\(server.secretAccessKey)\"}'"
        )
        let location = StorageLocation(scheme: .s3, container: server.bucket, path: uniquePrefix())
        let variables = home.variables.merging(["AWS_ENDPOINT_URL": server.endpoint]) { $1 }
        let environment = RoleEnvironment(variables, role: nil)
        let store = try ObjectStores.open(location, environment: environment)
        try await store.put("a", .bytes([1, 2]), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == [1, 2])
        let found = try await ObjectStores.backend(.s3).findCredentials(location, environment, http: nil)
        #expect(found == "profile program, program my keys.sh (key …hkey)")
    }
}
