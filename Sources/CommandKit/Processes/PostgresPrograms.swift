import FoundationEssentials
import Glibc

/// PostgreSQL's own programs, and the user that they run as: they refuse to run as root.
public struct PostgresPrograms: Sendable {
    public let directory: String
    /// Nil: whoever runs this.
    public let identity: UserIdentity?

    /// Finds the programs: the setting, `pg_config`, the newest of Debian's versions, `PATH`.
    public init(_ configuration: Configuration) throws(CommandFailure) {
        identity = UserIdentity.isRoot ? try UserIdentity(named: configuration.required(Settings.pgUser)) : nil
        if let given = configuration[Settings.pgBin] {
            guard Self.has("initdb", in: given) else {
                throw CommandFailure(.configuration, "pg_bin \(given) holds no PostgreSQL: there is no initdb")
            }
            directory = given
            return
        }
        var candidates: [String] = []
        if let configured = try? runProgram(["pg_config", "--bindir"]), configured.status == 0 {
            candidates.append(String(configured.output.prefix { !$0.isNewline }))
        }
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        candidates += versions.compactMap { Int($0) }.sorted(by: >).map { "/usr/lib/postgresql/\($0)/bin" }
        candidates += (environmentVariables()["PATH"] ?? "").split(separator: ":").map(String.init)
        guard let found = candidates.first(where: { Self.has("initdb", in: $0) }) else {
            throw CommandFailure(
                .configuration, "PostgreSQL's programs are not found",
                hint: "install the package postgresql, or name their directory with --pg-bin")
        }
        directory = found
    }

    private static func has(_ program: String, in directory: String) -> Bool {
        access(directory + "/" + program, X_OK) == 0
    }

    /// Runs a program to its end.
    ///
    /// - Throws: `CommandFailure` with the program's own words when it fails.
    public func run(_ program: String, _ arguments: [String]) throws(CommandFailure) {
        var command = [directory + "/" + program] + arguments
        if let identity {
            command =
                ["setpriv", "--reuid=\(identity.user)", "--regid=\(identity.group)", "--init-groups", "--"] + command
        }
        let result = try runProgram(command)
        guard result.status == 0 else {
            let lines = result.error.split(whereSeparator: \.isNewline).map(String.init)
            throw CommandFailure(
                .failed, "\(program) failed: \(lines.last ?? "status \(result.status)")", details: lines)
        }
    }
}

/// What a program left behind.
struct ProgramResult {
    let status: Int32
    let output: String
    let error: String
}

/// Runs a program, found by `PATH`, in `/` and with messages in English.
func runProgram(_ command: [String]) throws(CommandFailure) -> ProgramResult {
    var environment = environmentVariables()
    environment["LC_ALL"] = "C.UTF-8"
    var template = Array("/tmp/zenith-run-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CommandFailure(.failed, "cannot make a temporary directory") }
    let scratch = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let (outputPath, errorPath) = (scratch + "/output", scratch + "/error")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT, 0o600)
    var pid: pid_t = 0
    // The working directory may be one that the other user cannot enter.
    let code = withCStrings(["env", "-C", "/"] + command) { argv in
        withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
            posix_spawnp(&pid, "env", &actions, nil, argv, envp)
        }
    }
    guard code == 0 else {
        throw CommandFailure(.failed, "cannot run \(command[0]): \(String(cString: strerror(code)))")
    }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    let exited = status & 0x7F == 0
    return ProgramResult(
        status: exited ? (status >> 8) & 0xFF : 128 + (status & 0x7F),
        output: (try? readTextFile(outputPath)) ?? "", error: (try? readTextFile(errorPath)) ?? "")
}
