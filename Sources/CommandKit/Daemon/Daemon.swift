import Glibc
import SystemPackage

/// Starting and stopping a process that outlives the command.
public enum Daemon {
    /// How `stop` ends a daemon.
    public enum StopMode: String, Sendable, CaseIterable {
        /// Asks it to finish what it holds in its hands, and waits.
        case fast
        /// Kills it: what it had not finished is done again at the next start.
        case immediate

        /// What `--mode` says.
        public init(option: String) throws(CommandFailure) {
            guard let mode = StopMode(rawValue: option) else {
                throw CommandFailure(.usage, "--mode \(option) is unknown", hint: "it is fast or immediate")
            }
            self = mode
        }
    }

    /// Runs this program again, detached from the terminal, and waits until it says that it serves.
    ///
    /// The new process leads a session of its own, reads from /dev/null and writes both its outputs to the log. Its
    /// first word comes through an inherited pipe: `Readiness.shared.ready()`, or the failure that `launch` reports.
    ///
    /// It blocks: the command that starts a daemon has nothing else to do.
    ///
    /// - Parameters:
    ///   - arguments: The command line without the program's name; it has to make the command stay in the foreground.
    ///   - logFile: Appended to.
    ///   - timeout: How long to wait.
    /// - Returns: The process id.
    /// - Throws: The daemon's own failure with its exit code; `.temporary` when it is still starting at the end of
    ///   `timeout` (it goes on); `.failed` when it died without a word.
    public static func start(
        arguments: [String], logFile: String, timeout: Duration = .seconds(60)
    ) throws(CommandFailure) -> Int32 {
        let log = try openLog(logFile)
        defer { close(log) }
        let (reading, writing) = try makePipe()
        defer { close(reading) }
        let pid: Int32
        do {
            defer { close(writing) }
            var spawn = Spawn(program: ownExecutable(), arguments: [CommandLine.arguments[0]] + arguments)
            spawn.environment = environmentVariables()
            spawn.environment[Readiness.variable] = "3"
            spawn.startsSession = true
            spawn.files = [nil, log, log, writing]
            pid = try spawn.start()
        }
        try waitUntilReady(reading, pid: pid, logFile: logFile, seconds: timeout.components.seconds)
        return pid
    }

    /// Runs this program again, detached from the terminal and from everything that is open here, and does not wait
    /// for it. What it prints goes nowhere: it is for work that can be done without.
    public static func leaveBehind(arguments: [String]) throws(CommandFailure) {
        var spawn = Spawn(program: ownExecutable(), arguments: [CommandLine.arguments[0]] + arguments)
        spawn.environment = environmentVariables()
        spawn.startsSession = true
        _ = try spawn.start()
    }

    private static func waitUntilReady(
        _ file: Int32, pid: Int32, logFile: String, seconds: Int64
    ) throws(CommandFailure) {
        let deadline = monotonicSeconds() + Double(seconds)
        var word: [UInt8] = []
        while true {
            guard monotonicSeconds() < deadline else {
                throw CommandFailure(
                    .temporary, "process \(pid) is still starting after \(seconds) s",
                    hint: "it goes on; look into \(logFile)")
            }
            var poller = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 100) > 0 else { continue }
            var piece = [UInt8](repeating: 0, count: 4096)
            let count = read(file, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { break }
            word += piece[..<count]
            if word.count > 64 << 10 { break }
        }
        let text = String(decoding: word, as: UTF8.self)
        if text == "ready" { return }
        // It is about to end, or has: its status must not be left for nobody to collect.
        let ending = waitForEnd(pid)
        if let failure = Readiness.failure(from: text) { throw failure }
        throw CommandFailure(
            .failed, "process \(pid) ended before it was ready: \(ending)", hint: "look into \(logFile)")
    }

    private static func waitForEnd(_ pid: Int32) -> String {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return describeEnding(status)
    }

    /// Ends the process that holds `DIR/<name>.pid`, and waits until it has. It blocks, as `start` does.
    ///
    /// - Returns: False when none was running.
    /// - Throws: `.temporary` when it has not ended after `timeout`; it may still do so.
    public static func stop(
        directory: String, name: String, mode: StopMode = .fast, timeout: Duration = .seconds(60)
    ) throws(CommandFailure) -> Bool {
        guard let pid = PidFile.holder(directory: directory, name: name) else { return false }
        guard kill(pid, mode == .fast ? SIGTERM : SIGKILL) == 0 || errno == ESRCH else {
            throw CommandFailure(Errno(rawValue: errno), "cannot stop \(name) (process \(pid))")
        }
        let seconds = timeout.components.seconds
        let deadline = monotonicSeconds() + Double(seconds)
        while PidFile.holder(directory: directory, name: name) == pid || isAlive(pid) {
            guard monotonicSeconds() < deadline else {
                throw CommandFailure(
                    .temporary, "\(name) (process \(pid)) has not ended after \(seconds) s",
                    hint: "it may be finishing a transfer: wait, or stop it with --mode immediate")
            }
            usleep(50_000)
        }
        return true
    }

    /// False also for a process that has ended and is still to be collected by its parent.
    private static func isAlive(_ pid: Int32) -> Bool {
        // `1234 (name) S …`; the name may hold anything, also a parenthesis.
        guard let text = try? readTextFile("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
            return false
        }
        return !text[end...].dropFirst(2).hasPrefix("Z")
    }

    /// The program that this process runs, by a path that stays when it is started again.
    static func ownExecutable() -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
        // A program that was replaced while it ran has no name any more, but can still be started.
        return access(path, X_OK) == 0 ? path : "/proc/self/exe"
    }

    /// For a daemon's standard output and error.
    private static func openLog(_ path: String) throws(CommandFailure) -> Int32 {
        do { return try systemCall { open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600) } } catch {
            throw CommandFailure(error, "cannot open the log file \(path)")
        }
    }
}
