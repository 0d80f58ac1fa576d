import Foundation
import Glibc
import SystemPackage
import Testing

@testable import CommandKit

@Suite struct ProcessTests {
    /// Programs of our own in place of PostgreSQL's, to see what they are given.
    private func withPrograms(
        _ scripts: [String: String], environment: [String: String] = [:],
        _ body: (PostgresPrograms) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            chmod(directory, 0o755)
            for (name, text) in scripts.merging(
                ["postgres": "echo 'postgres (PostgreSQL) 16.4'"], uniquingKeysWith: { $1 })
            {
                try write("#!/bin/sh\n\(text)\n", to: "\(directory)/\(name)")
                chmod("\(directory)/\(name)", 0o755)
            }
            let configuration = try Configuration(
                directory: directory, options: [("pg_bin", directory)], environment: [:], file: nil)
            try await body(try PostgresPrograms(configuration, environment: environment))
        }
    }

    @Test("a program runs as PostgreSQL's user, in the root directory, with a clean environment")
    func identity() async throws {
        let environment = [
            "AWS_SECRET_ACCESS_KEY": "secret", "PGDATA": "/wrong", "LC_ALL": "de_DE.UTF-8", "PATH": "/nowhere",
            "TZ": "CET",
        ]
        try await withPrograms(
            ["tell": "id -u; id -g; id -G; pwd; env | sort; ls /proc/self/fd"], environment: environment
        ) {
            programs in
            let lines = try await programs.run("tell", environment: ["EXTRA": "1"]).split(separator: "\n").map(
                String.init)
            let user = UserIdentity.isRoot ? try UserIdentity(named: "postgres") : UserIdentity.current
            #expect(programs.identity?.name == (UserIdentity.isRoot ? "postgres" : nil))
            #expect(lines[0] == "\(user.user)" && lines[1] == "\(user.group)")
            if UserIdentity.isRoot { #expect(!lines[2].split(separator: " ").contains("0"), "root's groups are gone") }
            #expect(lines[3] == "/")
            #expect(lines.contains("EXTRA=1") && lines.contains("TZ=CET") && lines.contains("HOME=\(user.home)"))
            #expect(lines.contains("LANG=de_DE.UTF-8") && lines.contains("LC_MESSAGES=C"))
            #expect(!lines.contains { $0.hasPrefix("AWS_") || $0.hasPrefix("PGDATA") || $0.hasPrefix("LC_ALL") })
            // 0, 1, 2, and the one that ls itself reads the directory with.
            #expect(lines.suffix(4) == ["0", "1", "2", "3"], "no other descriptor is handed on")
            #expect(try await programs.majorVersion() == 16)
        }
    }

    @Test("a failure carries what the program said")
    func failure() async throws {
        try await withPrograms([
            "initdb": "echo 'creating'; echo 'initdb: error: no space left' >&2; echo 'hint: x' >&2; exit 3"
        ]) {
            programs in
            let failure = await #expect(throws: CommandFailure.self) { try await programs.run("initdb", ["-D", "x"]) }
            #expect(failure?.status == .failed)
            #expect(failure?.message == "initdb failed (exit code 3): initdb: error: no space left")
            #expect(failure?.details == ["hint: x"])
        }
    }

    @Test("much output on both sides neither blocks nor fills memory")
    func muchOutput() async throws {
        var child = ChildProcess(program: "/bin/sh")
        child.arguments = ["-c", "head -c 5000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero >&2; echo end"]
        child.environment = ["PATH": "/usr/bin:/bin"]
        let ending = try await child.run()
        #expect(ending.succeeded)
        #expect(ending.output.hasSuffix("xend\n"))
        #expect(ending.output.utf8.count <= 2 * ChildProcess.keptBytes)
        #expect(ending.error.utf8.count <= 2 * ChildProcess.keptBytes)
    }

    @Test("a program that leaves another behind with its outputs has ended")
    func leftBehind() async throws {
        let child = ChildProcess(program: "/bin/sh", arguments: ["-c", "sleep 600 & echo $!"])
        let left = try #require(Int32(try await child.run().output.trimmingCharacters(in: .newlines)))
        #expect(kill(left, SIGKILL) == 0)  // it was still there
    }

    @Test("cancelling ends the program")
    func cancel() async throws {
        try await withTemporaryDirectory { directory in
            let mark = directory + "/ended"
            var child = ChildProcess(program: "/bin/sh")
            child.arguments = [
                "-c", "trap 'touch \(mark); exit 0' TERM; touch \(directory)/ready; while :; do sleep 0.05; done",
            ]
            child.environment = ["PATH": "/usr/bin:/bin"]
            let task = Task { [child] in try await child.run() }
            while access(directory + "/ready", F_OK) != 0 { try await Task.sleep(for: .milliseconds(10)) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(access(mark, F_OK) == 0)
        }
    }

    @Test("a program that is not there, or no program, is an error that names it")
    func notThere() async throws {
        let failure = await #expect(throws: CommandFailure.self) {
            try await ChildProcess(program: "/nonexistent/program").run()
        }
        #expect(failure?.message == "cannot start /nonexistent/program: No such file or directory")
        let denied = await #expect(throws: CommandFailure.self) { try await ChildProcess(program: "/etc/passwd").run() }
        #expect(denied?.status == .permission)
    }

    @Test("signals that this process ignores reach a program's default")
    func signals() async throws {
        signal(SIGPIPE, SIG_IGN)
        let child = ChildProcess(program: "/bin/sh", arguments: ["-c", "kill -PIPE $$; echo alive"])
        let ending = try await child.run()
        #expect(ending.output == "")
        #expect(describeEnding(ending.status).hasPrefix("killed by signal 13"))
    }

    @Test("PostgreSQL of this machine is found")
    func installed() async throws {
        let configuration = try Configuration(directory: "/d", options: [], environment: [:], file: nil)
        let programs = try PostgresPrograms(configuration)
        #expect(try await programs.majorVersion() >= 14)
        #expect(try await programs.run("initdb", ["--version"]).hasPrefix("initdb (PostgreSQL) "))
    }

    @Test("what is missing is named")
    func missing() throws {
        let configuration = try Configuration(
            directory: "/d", options: [("pg_bin", "/nonexistent")], environment: [:], file: nil)
        let failure = #expect(throws: CommandFailure.self) { try PostgresPrograms(configuration) }
        #expect(failure?.status == .configuration)
        #expect(failure?.message == "pg_bin /nonexistent holds no postgres program (from option --pg-bin)")
        let unknown = #expect(throws: CommandFailure.self) { try UserIdentity(named: "no-such-user") }
        #expect(unknown?.status == .configuration)
    }
}
