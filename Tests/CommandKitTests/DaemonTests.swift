import Foundation
import Glibc
import TestSupport
import Testing

@testable import CommandKit

/// The daemon's life, with a real one: a pageserver on a new cluster.
@Suite(.serialized) struct DaemonTests {
    private let zenith = ProgramTests.program("zenith")

    private func withInstallation(_ body: (String) async throws -> Void) async throws {
        try await withTemporaryDirectory { base in
            let directory = base + "/zenith"
            let made = try TestSupport.run([zenith, "init", "-D", directory, "--storage-dest", base + "/storage"])
            try #require(made.status == 0, "\(made.error)")
            #expect(made.error == "", "nothing is drawn where nobody looks")
            do { try await body(directory) } catch {
                _ = try? Daemon.stop(directory: directory, name: "pageserver", mode: .immediate)
                throw error
            }
            _ = try Daemon.stop(directory: directory, name: "pageserver", mode: .immediate)
        }
    }

    private func start(_ directory: String, _ environment: [String: String] = [:]) throws -> ShellResult {
        // Several run at the same time.
        let variables = ["ZENITH_LISTEN_HTTP": "127.0.0.1:0"].merging(environment) { $1 }
        return try TestSupport.run([zenith, "start", "-D", directory], environment: variables.mapValues { $0 })
    }

    @Test("it starts when it serves, is alone, survives its terminal, and stops in order")
    func life() async throws {
        try await withInstallation { directory in
            let started = try start(directory)
            #expect(started.status == 0 && started.error == "")
            let pid = try #require(PidFile.holder(directory: directory, name: "pageserver"))
            #expect(started.output.contains("\(pid)"))
            #expect(getsid(pid) == pid, "it leads a session of its own")
            let files = try (0...2).map {
                try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)")
            }
            #expect(files == ["/dev/null", directory + "/pageserver.log", directory + "/pageserver.log"])

            let second = try start(directory)
            #expect(second.status == 75 && second.error.contains("\(pid)"))
            #expect(PidFile.holder(directory: directory, name: "pageserver") == pid)

            let stopped = try TestSupport.run([zenith, "stop", "-D", directory])
            #expect(stopped.status == 0)
            // What is left of it, if anything, waits for its parent to ask how it ended.
            let state = try? readText("/proc/\(pid)/stat")
            #expect(state?.contains(") Z ") ?? true, "it has ended when stop returns")
            #expect(PidFile.holder(directory: directory, name: "pageserver") == nil)
            #expect(try readText(directory + "/pageserver.log").contains(" INFO pageserver: stopped"))
            let again = try TestSupport.run([zenith, "stop", "-D", directory])
            #expect(again.status == 0 && again.output.hasPrefix("no pageserver runs"))
        }
    }

    @Test("a killed daemon is no obstacle to the next one")
    func killed() async throws {
        try await withInstallation { directory in
            #expect(try start(directory).status == 0)
            let pid = try #require(PidFile.holder(directory: directory, name: "pageserver"))
            #expect(try Daemon.stop(directory: directory, name: "pageserver", mode: .immediate))
            #expect(try readText(directory + "/pageserver.pid") == "\(pid)\n", "its file is left")
            #expect(try start(directory).status == 0)
            #expect(PidFile.holder(directory: directory, name: "pageserver") != pid)
        }
    }

    @Test("what keeps it from starting reaches the terminal, with its exit code")
    func failure() async throws {
        try await withInstallation { directory in
            let text = try readText(directory + "/zenith.toml")
            try write(
                text.replacingOccurrences(
                    of: "storage_dest = \"[^\n]*", with: "storage_dest = \"s3://bucket/prefix\"",
                    options: .regularExpression), to: directory + "/zenith.toml")
            let environment = [
                "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1", "S3_MAX_RETRIES": "0",
            ]
            let result = try start(directory, environment)
            #expect(result.status == 69, "\(result.error)")
            #expect(result.output == "")
            #expect(result.error.hasPrefix("zenith: s3://bucket/prefix"))
            #expect(result.error.contains("cannot reach 127.0.0.1:9"))
            #expect(PidFile.holder(directory: directory, name: "pageserver") == nil)
        }
    }

    @Test("the log goes on in a new file after SIGHUP")
    func rotation() async throws {
        try await withInstallation { directory in
            #expect(try start(directory).status == 0)
            let pid = try #require(PidFile.holder(directory: directory, name: "pageserver"))
            let log = directory + "/pageserver.log"
            try FileManager.default.moveItem(atPath: log, toPath: log + ".1")
            kill(pid, SIGHUP)
            for _ in 0..<6000 where access(log, F_OK) != 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(try Daemon.stop(directory: directory, name: "pageserver"))
            #expect(try readText(log).contains("stopped"))
            #expect(try !readText(log + ".1").contains("stopped"))
        }
    }

    @Test("on a terminal the import is drawn within its width, and its last line stays")
    func progress() async throws {
        try await withTemporaryDirectory { base in
            let initialize = { (name: String, terminal: String) in
                try TestSupport.run(
                    [
                        "script", "-qec",
                        "stty cols 60; exec '\(zenith)' init -D '\(base)/\(name)' --storage-dest '\(base)/\(name)-storage'",
                        "/dev/null",
                    ], environment: ["TERM": terminal, "SHELL": "/bin/sh"])
            }
            let result = try initialize("a", "xterm")
            try #require(result.status == 0, "\(result.output)")
            let drawn = result.output.split(whereSeparator: { $0 == "\r" || $0 == "\n" || $0 == "\r\n" })
                .map { $0.replacingOccurrences(of: "\u{1B}[K", with: "") }.filter { $0.hasPrefix("import") }
            let last = try #require(drawn.last)
            #expect(last.contains("[####") && last.contains("100%") && last.contains(" in 0:0"))
            #expect(drawn.allSatisfy { $0.count < 60 })
            #expect(result.output.contains("\u{1B}[K" + last + "\r\n"), "a line of its own")

            // A terminal that cannot move its cursor gets none of it.
            let dumb = try initialize("b", "dumb")
            #expect(dumb.status == 0 && !dumb.output.contains("\u{1B}") && !dumb.output.contains("%"))
        }
    }
}
