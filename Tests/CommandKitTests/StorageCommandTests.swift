import Foundation
import TestSupport
import Testing

/// `zenith storage`, as it is called from a shell.
@Suite("storage client", .timeLimit(.minutes(10)))
struct StorageCommandTests {
    private func run(
        _ arguments: [String], _ environment: [String: String], input: String? = nil
    ) throws -> ShellResult {
        let program = ProgramTests.program("zenith")
        var command = [program, "storage"] + arguments
        if let input { command = ["sh", "-c", "printf %s \"$0\" | \"$@\"", input] + command }
        var variables: [String: String?] = ["HOME": "/nonexistent"]
        variables.merge(environment.mapValues { $0 }) { $1 }
        return try TestSupport.run(command, environment: variables)
    }

    /// A directory with files of some sizes, and a folder in an S3 storage that nobody else uses.
    private func withTree(_ body: (_ directory: String, _ folder: String, [String: String]) throws -> Void) async throws
    {
        let server = try await S3TestServer.seaweed
        try await withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(
                atPath: directory + "/tree/sub dir", withIntermediateDirectories: true)
            for (name, size) in [("empty", 0), ("small", 10), ("sub dir/größer", 100_000), ("sub dir/big", 9_000_000)] {
                var bytes = Data(count: size)
                for index in stride(from: 0, to: size, by: 7) { bytes[index] = UInt8(truncatingIfNeeded: index / 7) }
                try bytes.write(to: URL(fileURLWithPath: "\(directory)/tree/\(name)"))
            }
            try body(directory, "s3://\(server.bucket)/shell-\(UUID().uuidString)", server.environment)
        }
    }

    @Test("a directory goes up and comes down as it was")
    func roundTrip() async throws {
        try await withTree { directory, folder, environment in
            let up = try run(["put", "--recursive", folder, directory + "/tree"], environment)
            #expect(up.status == 0 && up.output == "" && up.error.hasPrefix("put 4 objects, 8.7 MB"), "\(up.error)")
            let listed = try run(["ls", folder], environment)
            #expect(
                listed.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") } == [
                    "sub dir/", "0 empty", "10 small",
                ])
            let whole = try run(["ls", "-r", "--json", folder], environment)
            let entries = try JSONSerialization.jsonObject(with: Data(whole.output.utf8)) as? [[String: Any]]
            #expect(
                entries?.compactMap { $0["key"] as? String } == ["empty", "small", "sub dir/big", "sub dir/größer"])
            #expect(entries?.compactMap { $0["sizeBytes"] as? Int } == [0, 10, 9_000_000, 100_000])

            let down = try run(["get", "--json", "--recursive", folder, directory + "/copy"], environment)
            #expect(down.status == 0 && down.output.contains("\"objects\" : 4"))
            let same = try TestSupport.run(["diff", "-r", directory + "/tree", directory + "/copy"])
            #expect(same.status == 0, "\(same.output)")

            // Neither side is overwritten unawares.
            let downAgain = try run(["get", "-r", folder, directory + "/copy"], environment)
            #expect(downAgain.status == 73 && downAgain.error.contains("hint: --overwrite"))
            #expect(try run(["put", "-r", folder, directory + "/tree"], environment).status == 73)
            #expect(try run(["put", "-r", "--overwrite", folder, directory + "/tree"], environment).status == 0)
            #expect(try run(["get", "-r", "--overwrite", folder, directory + "/copy"], environment).status == 0)

            let removed = try run(["rm", "-r", folder], environment)
            #expect(removed.status == 0 && removed.error.hasPrefix("removed 4 objects"))
            #expect(try run(["ls", "-r", folder], environment).output == "")
            #expect(try run(["get", "-r", folder, directory + "/none"], environment).status == 1)
        }
    }

    @Test("single objects: by name, into a folder, from standard input, to standard output")
    func singleObjects() async throws {
        try await withTree { directory, folder, environment in
            let small = directory + "/tree/small"
            #expect(try run(["put", folder + "/as/named", small], environment).status == 0)
            #expect(try run(["put", folder + "/as/", small], environment).status == 0)
            #expect(try run(["put", folder + "/typed", "-"], environment, input: "from a pipe").status == 0)
            #expect(try run(["get", folder + "/typed", "-"], environment).output == "from a pipe")
            let one = try run(["ls", folder + "/as/named"], environment)
            #expect(one.output.split(separator: " ").map(String.init) == ["10", "named\n"])
            #expect(try run(["get", folder + "/as/small", directory], environment).status == 0)
            #expect(try Data(contentsOf: URL(fileURLWithPath: directory + "/small")).count == 10)
            #expect(try run(["get", folder + "/as/small", directory + "/other name"], environment).status == 0)
            #expect(FileManager.default.fileExists(atPath: directory + "/other name"))
            #expect(try run(["rm", folder + "/typed"], environment).status == 0)
            #expect(try run(["rm", folder + "/typed"], environment).status == 1)
            #expect(try run(["get", folder + "/typed", "-"], environment).status == 1)
            // Not what one can do to an object.
            #expect(try run(["get", folder + "/", directory], environment).status == 64)
            #expect(try run(["put", folder, directory + "/tree"], environment).status == 64)
            #expect(try run(["put", "-r", folder, small], environment).status == 64)
            #expect(try run(["ls", folder, "--role", "nobody"], environment).status == 64)
            #expect(try run(["put", folder + "/x", directory + "/none"], environment).status == 1)
        }
    }

    @Test("a repository is not removed unawares")
    func repository() async throws {
        try await withTree { directory, folder, environment in
            #expect(
                try run(["put", folder + "/zenith.json", directory + "/tree/small"], environment).status == 0)
            let refused = try run(["rm", "-r", folder], environment)
            #expect(refused.status == 1 && refused.error.contains("is the repository of a cluster"))
            #expect(try run(["ls", folder], environment).output.contains("zenith.json"))
            #expect(try run(["rm", "-r", "--force", folder], environment).status == 0)
        }
    }

    @Test("a role's variables count where the role is given, and a check tells what it tried")
    func roleAndCheck() async throws {
        try await withTree { _, folder, environment in
            let own = Dictionary(uniqueKeysWithValues: environment.map { ("SNAPSHOT_\($0)", $1) })
            #expect(try run(["ls", folder, "--role", "snapshot"], own).status == 0)
            let checked = try run(["check", folder, "--thorough"], environment)
            #expect(checked.status == 0, "\(checked.output)")
            for fact in ["write", "create-if-absent", "ranged read", "list", "large object", "clock", "delete"] {
                #expect(checked.output.contains("storage  ok       \(fact): "), "\(checked.output)")
            }
            #expect(try run(["ls", "-r", folder], environment).output == "")
            var wrong = environment
            wrong["AWS_SECRET_ACCESS_KEY"] = "wrong-secret"
            wrong["AWS_SECRET_ACESS_KEY"] = "x"
            let refused = try run(["check", folder, "--json"], wrong)
            #expect(refused.status == 77 && refused.output.contains("write needs s3:PutObject"))
            #expect(refused.output.contains("AWS_SECRET_ACCESS_KEY may be meant"))
            #expect(!refused.output.contains("wrong-secret"))
            #expect(try run(["check", "ftp://x/y"], environment).status == 78)
        }
    }
}
