import Glibc

/// PostgreSQL's programs on this machine, and the user they run as: they refuse to run as root.
public struct PostgresPrograms: Sendable {
    /// Where they are.
    public let directory: String
    /// How the directory was found, for messages.
    public let source: String
    /// Whom they run as, and whom the files belong to that they use. Nil: as this process does, which is not root.
    public let identity: UserIdentity?
    private let environment: [String: String]

    /// Finds the programs: in `pg_bin`, else where `pg_config` says, else the newest below /usr/lib/postgresql, else in
    /// `PATH`.
    ///
    /// - Throws: `.configuration` when there are none, or when this process is root and `pg_user` does not exist.
    public init(
        _ configuration: Configuration, environment: [String: String] = environmentVariables()
    ) throws(CommandFailure) {
        identity = UserIdentity.isRoot ? try UserIdentity(named: configuration.required(Settings.pgUser)) : nil
        (directory, source) = try Self.findDirectory(
            given: configuration.entry(Settings.pgBin), environment: environment)
        self.environment = environment
    }

    /// Runs one of the programs to its end and returns what it printed.
    ///
    /// It runs in the root directory, with a clean environment, as `identity`.
    ///
    /// - Throws: `CommandFailure` with what the program said on standard error.
    @discardableResult
    public func run(
        _ program: String, _ arguments: [String] = [], environment additions: [String: String] = [:]
    ) async throws -> String {
        var child = ChildProcess(program: try path(of: program), arguments: arguments)
        child.environment = childEnvironment.merging(additions) { _, new in new }
        child.identity = identity
        let ending = try await child.run()
        if ending.succeeded { return ending.output }
        // Programs say the reason last, and hints after it; all of it goes below the line that stands for it.
        let lines = (ending.error.isEmpty ? ending.output : ending.error).split(separator: "\n").map(String.init)
        let reason = lines.first { $0.contains("error:") || $0.contains("FATAL") } ?? lines.last
        throw CommandFailure(
            .failed, "\(program) failed (\(describeEnding(ending.status)))" + (reason.map { ": \($0)" } ?? ""),
            details: lines.suffix(20).filter { $0 != reason })
    }

    /// The path of a program.
    public func path(of program: String) throws(CommandFailure) -> String {
        let path = directory + "/" + program
        if access(path, X_OK) == 0 { return path }
        throw CommandFailure(
            .configuration, "\(path): \(String(cString: strerror(errno)))",
            hint: "name the directory of PostgreSQL's programs with --pg-bin")
    }

    /// The major version of the programs: 14, 15, ….
    public func majorVersion() async throws -> Int {
        let text = try await run("postgres", ["--version"])
        let number = text.split(separator: " ").last { $0.first?.isNumber == true }?.prefix { $0.isNumber }
        guard let major = number.flatMap({ Int($0) }) else {
            throw CommandFailure(.failed, "cannot tell the version of \(directory)/postgres from '\(text)'")
        }
        return major
    }

    /// Nothing of ours that could change what PostgreSQL does, and no credentials of a storage.
    private var childEnvironment: [String: String] {
        let user = identity ?? .current
        var variables = ["HOME": user.home, "USER": user.name, "LOGNAME": user.name]
        variables["PATH"] = "\(directory):/usr/local/bin:/usr/bin:/bin"
        let kept = ["TZ", "LD_LIBRARY_PATH", "LANG"]
        for (name, value) in environment where kept.contains(name) || name.hasPrefix("LC_") { variables[name] = value }
        // Messages are read by this program too; the rest of the locale is what initdb gives a new cluster.
        variables["LANG"] = variables.removeValue(forKey: "LC_ALL") ?? variables["LANG"] ?? "C.UTF-8"
        variables["LC_MESSAGES"] = "C"
        return variables
    }
}

extension PostgresPrograms {
    private static func findDirectory(
        given: Configuration.Entry, environment: [String: String]
    ) throws(CommandFailure) -> (directory: String, source: String) {
        if let path = given.text {
            guard hasPrograms(path) else {
                throw CommandFailure(.configuration, "pg_bin \(path) holds no postgres program (from \(given.origin))")
            }
            return (path, "\(given.origin)")
        }
        let searchPath = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        // Debian's pg_config names a directory that has programs only when the server is installed too.
        for directory in searchPath where access(directory + "/pg_config", X_OK) == 0 {
            var child = ChildProcess(program: directory + "/pg_config", arguments: ["--bindir"])
            child.environment = ["PATH": environment["PATH"] ?? ""]
            guard let answer = try? child.runBlocking(), answer.succeeded else { continue }
            let path = String(answer.output.prefix { $0 != "\n" })
            if hasPrograms(path) { return (path, "pg_config") }
        }
        let packages = "/usr/lib/postgresql"
        if let newest = entries(of: packages).compactMap({ Int($0) }).sorted().last(where: {
            hasPrograms("\(packages)/\($0)/bin")
        }) {
            return ("\(packages)/\(newest)/bin", packages)
        }
        if let directory = searchPath.first(where: hasPrograms) { return (directory, "PATH") }
        throw CommandFailure(
            .configuration,
            "PostgreSQL's programs are not found: no pg_config, nothing below \(packages), nothing in PATH",
            hint: "install PostgreSQL, or name the directory with --pg-bin")
    }

    private static func hasPrograms(_ directory: String) -> Bool { access(directory + "/postgres", X_OK) == 0 }

    private static func entries(of directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names
    }
}
