import Foundation
import Glibc

/// A postmaster that runs, and the shell above it that ends it when this process does.
final class PostgresServer {
    let port: Int
    private(set) var processID: Int32 = 0
    private let dataDirectory: String
    private let guardian = Process()
    /// The other end of the guardian's standard input. It closes with this process at the latest.
    private var leash: Int32 = -1

    /// Starts `postgres`, says its process id, and waits: for the end of standard input, which comes when the process
    /// that holds the other end lets go or dies: when it lets go it says so with a line before, and keeps the directory.
    /// The server stays a zombie until then, so its id names no other.
    private static let guardianScript = """
        "$@" </dev/null >>"$ZENITH_LOG" 2>&1 &
        echo $! >"$ZENITH_PID"
        while read -r line; do keep=$line; done
        kill -QUIT $! 2>/dev/null
        wait $!
        [ -n "$keep" ] || rm -rf "$ZENITH_REMOVE"
        """

    init(
        _ installation: PostgresInstallation, dataDirectory: String, directory: String, arguments: [String],
        timeout: Duration
    ) throws {
        port = try Self.freePort()
        self.dataDirectory = dataDirectory
        var ends: [Int32] = [-1, -1]
        // A socket pair, since it can be made closed to all other children from the start.
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw PostgresTestError("socketpair: errno \(errno)")
        }
        leash = ends[1]
        let input = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        let pidPath = "\(directory)/guardian.\(port)"
        // The signal at the parent's death is for the case that somebody kills the guardian.
        let asUser = PostgresInstallation.asServerUser.dropFirst().dropLast()
        // Threads of the concurrency runtime block all signals, and children inherit that: `wait` would not return.
        guardian.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        guardian.arguments =
            ["--default-signal", "/bin/sh", "-c", Self.guardianScript, "guardian", "setpriv"] + asUser + [
                "--pdeathsig", "QUIT", "--",
            ]
            + ["\(installation.bin)/postgres", "-D", dataDirectory, "-p", String(port), "-k", directory]
            + ["-c", "listen_addresses=127.0.0.1"] + arguments
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PG") }
        environment["LC_ALL"] = "C.UTF-8"
        environment["ZENITH_LOG"] = directory + "/log"
        environment["ZENITH_PID"] = pidPath
        environment["ZENITH_REMOVE"] = directory
        guardian.environment = environment
        guardian.currentDirectoryURL = URL(fileURLWithPath: directory)
        guardian.standardInput = input
        guardian.standardOutput = FileHandle.nullDevice
        guardian.standardError = FileHandle.nullDevice
        do { try guardian.run() } catch {
            close(leash)
            throw error
        }
        do { try awaitReady(dataDirectory: dataDirectory, pidPath: pidPath, timeout: timeout) } catch {
            release()
            let log = FileManager.default.contents(atPath: directory + "/log") ?? Data()
            let tail = String(decoding: log.suffix(2000), as: UTF8.self)
            throw PostgresTestError("\(installation) does not start: \(error)\n\(tail)")
        }
        try? FileManager.default.removeItem(atPath: pidPath)
    }

    /// The 8th line of `postmaster.pid` turns to "ready" when connections are accepted, "standby" in a hot standby.
    private func awaitReady(dataDirectory: String, pidPath: String, timeout: Duration) throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            if processID == 0, let text = try? String(contentsOfFile: pidPath, encoding: .utf8), text.hasSuffix("\n") {
                processID = Int32(text.dropLast()) ?? 0
            }
            if processID != 0 {
                guard isAlive else { throw PostgresTestError("it ended") }
                let text = (try? String(contentsOfFile: dataDirectory + "/postmaster.pid", encoding: .utf8)) ?? ""
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                let state = lines.count > 7 ? lines[7].trimmingCharacters(in: .whitespaces) : ""
                if lines[0] == "\(processID)", state == "ready" || state == "standby" { return }
            }
            guard ContinuousClock.now < deadline else { throw PostgresTestError("not ready within \(timeout)") }
            usleep(10_000)
        }
    }

    /// True when the server is gone within `timeout`; it is killed else.
    @discardableResult
    func stop(_ mode: PostgresCluster.StopMode, timeout: Duration) -> Bool {
        let signal =
            switch mode {
            case .smart: SIGTERM
            case .fast: SIGINT
            case .immediate: SIGQUIT
            }
        kill(processID, signal)
        let deadline = ContinuousClock.now + timeout
        while isAlive, ContinuousClock.now < deadline { usleep(10_000) }
        let stopped = !isAlive
        if stopped { release() } else { crash() }
        return stopped
    }

    /// Kills the postmaster and all its children. Stopped first, it can start no new ones.
    func crash() {
        kill(processID, SIGSTOP)
        while isAlive, Self.state(of: processID) != "T" { usleep(1_000) }
        var children = Self.children(of: processID)
        let shared = SharedMemory(of: [processID] + children, dataDirectory: dataDirectory)
        for child in children { kill(child, SIGKILL) }
        kill(processID, SIGKILL)
        while isAlive || !children.isEmpty {
            usleep(1_000)
            children.removeAll { Self.state(of: $0) == nil || Self.state(of: $0) == "Z" }
        }
        shared.remove()
        release()
    }

    /// Lets go of the guardian, which reaps the server and ends.
    private func release() {
        let word = Array("keep\n".utf8)
        // A guardian that is gone keeps everything, too; its absence is no reason for a signal.
        _ = send(leash, word, word.count, Int32(MSG_NOSIGNAL))
        close(leash)
        guardian.waitUntilExit()
    }

    private var isAlive: Bool {
        let state = Self.state(of: processID)
        return state != nil && state != "Z"
    }

    /// The state letter and the parent, behind the command's name in parentheses.
    private static func status(of process: Int32) -> [Substring]? {
        guard let bytes = FileManager.default.contents(atPath: "/proc/\(process)/stat") else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
    }

    private static func state(of process: Int32) -> Substring? { status(of: process)?.dropFirst().first }

    private static func children(of parent: Int32) -> [Int32] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
        return processes.filter { status(of: $0)?.dropFirst(2).first == "\(parent)" }
    }

    /// A port that nobody listens on just now.
    private static func freePort() throws -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        guard bound else { throw PostgresTestError("no free port: errno \(errno)") }
        return Int(in_port_t(bigEndian: address.sin_port))
    }
}

/// What a server that is killed leaves in the system, until it is started again at the same place.
private struct SharedMemory {
    private static let directory = "/dev/shm/"
    /// The segment that postmasters find each other by; its id is the last word of the 7th line of `postmaster.pid`.
    private let interlock: Int32?
    private let files: Set<String>

    init(of processes: [Int32], dataDirectory: String) {
        let text = (try? String(contentsOfFile: dataDirectory + "/postmaster.pid", encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        interlock = lines.count > 6 ? lines[6].split(separator: " ").last.flatMap { Int32($0) } : nil
        var files: Set<String> = []
        for process in processes {
            let maps = FileManager.default.contents(atPath: "/proc/\(process)/maps") ?? Data()
            for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
                guard let start = line.range(of: Self.directory)?.lowerBound else { continue }
                files.insert(String(line[start...]))
            }
        }
        self.files = files
    }

    func remove() {
        if let interlock { shmctl(interlock, IPC_RMID, nil) }
        for file in files { unlink(file) }
    }
}
