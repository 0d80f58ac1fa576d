import Glibc
import SystemPackage

/// POSIX_SPAWN_SETSID of glibc's spawn.h, which shows it only with _GNU_SOURCE.
private let setsidFlag: Int16 = 0x80

/// Starts and stops this program as a daemon.
public enum Daemon {
    /// How a daemon is asked to end.
    public enum StopMode: String, Sendable, CaseIterable {
        /// SIGTERM: it finishes what it is writing.
        case fast
        /// SIGKILL: at once, as a crash would.
        case immediate
    }

    /// Runs this program again in the background with `arguments`, in a session of its own, and waits until it says
    /// that it is ready.
    ///
    /// - Parameter logFile: Where its standard output and error go, at the end of what is there.
    /// - Returns: Its process number.
    /// - Throws: The failure that the new process reports, with its exit code.
    public static func start(arguments: [String], logFile: String) throws(CommandFailure) -> Int32 {
        var pipes: [Int32] = [0, 0]
        guard pipe(&pipes) == 0 else { throw CommandFailure(Errno(rawValue: errno), "pipe") }
        let (readEnd, writeEnd) = (pipes[0], pipes[1])
        for end in pipes { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(readEnd) }
        let inherited: Int32 = 3
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, logFile, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        posix_spawn_file_actions_adddup2(&actions, writeEnd, inherited)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, setsidFlag)

        let program = CommandLine.arguments[0]
        var environment = environmentVariables()
        environment[Readiness.variable] = String(inherited)
        var pid: pid_t = 0
        let code = withCStrings([program] + arguments) { argv in
            withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
                posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, envp)
            }
        }
        close(writeEnd)
        guard code == 0 else { throw CommandFailure(Errno(rawValue: code), "cannot start the daemon") }
        let answer = readToEnd(readEnd)
        if answer == "ready" { return pid }
        throw failure(answer, pid, logFile)
    }

    /// Asks the daemon that holds the pid file to end, and waits until it has.
    ///
    /// - Returns: False when none was running.
    public static func stop(directory: String, name: String, mode: StopMode, timeoutSeconds: Int = 60)
        throws(CommandFailure) -> Bool
    {
        guard let pid = PidFile.holder(directory: directory, name: name) else { return false }
        guard kill(pid, mode == .fast ? SIGTERM : SIGKILL) == 0 || errno == ESRCH else {
            throw CommandFailure(Errno(rawValue: errno), "cannot stop \(name) (pid \(pid))")
        }
        for _ in 0..<timeoutSeconds * 20 {
            if PidFile.holder(directory: directory, name: name) != pid { return true }
            usleep(50_000)
        }
        throw CommandFailure(
            .temporary, "\(name) (pid \(pid)) has not ended within \(timeoutSeconds) s",
            hint: "it may be finishing a transfer: wait, or stop it with --mode immediate")
    }

    /// What the new process said, or how it ended without a word.
    private static func failure(_ answer: String, _ pid: pid_t, _ logFile: String) -> CommandFailure {
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        let lines = answer.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        if lines.count == 2, lines[0].hasPrefix("failed "), let code = Int32(lines[0].dropFirst(7)),
            let exit = ExitStatus(rawValue: code)
        {
            let text = lines[1].split(separator: "\n").map { $0.trimmingPrefix("  ") }
            return CommandFailure(exit, String(text.first ?? ""), details: text.dropFirst().map(String.init))
        }
        return CommandFailure(.failed, "the daemon ended before it was ready", hint: "its log is \(logFile)")
    }

    private static func readToEnd(_ file: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer[0..<count]
            } else if count == 0 || errno != EINTR {
                return String(decoding: bytes, as: UTF8.self)
            }
        }
    }
}

/// Calls `body` with a null-terminated array of C strings, as `exec` takes it.
func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
) rethrows -> Result {
    let pointers = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return try body(pointers)
}
