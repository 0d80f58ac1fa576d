import Glibc
import ObjectStorage
import SystemPackage

/// A program that runs to its end while this one waits for it.
struct ChildProcess: Sendable {
    /// What is kept of each output: the end of it.
    static let keptBytes = 1 << 20
    /// Waiting for a program may take minutes: other blocking work does not stand in line behind it.
    private static let threads = BlockingWork(width: 8)

    var program: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var workingDirectory = "/"
    /// Whom it runs as; nil: as this process does.
    var identity: UserIdentity?

    struct Ending: Sendable {
        /// As wait(2) gives it.
        let status: Int32
        let output: String
        let error: String
        var succeeded: Bool { status == 0 }
    }

    /// Runs it. When the task is cancelled, the program is asked to end, and killed if it does not.
    func run() async throws -> Ending {
        try await Self.threads.run { cancellation in try runBlocking(cancellation) }
    }

    /// Runs it on this thread.
    func runBlocking(_ cancellation: BlockingWork.Cancellation = .init()) throws -> Ending {
        let output = try makePipe()
        defer { close(output.reading) }
        let error = try makePipe()
        defer { close(error.reading) }
        let pid: Int32
        do {
            defer {
                close(output.writing)
                close(error.writing)
            }
            var spawn = Spawn(program: program, arguments: [program] + arguments)
            spawn.environment = environment
            spawn.workingDirectory = workingDirectory
            spawn.identity = identity
            spawn.files = [nil, output.writing, error.writing]
            pid = try spawn.start()
        }
        var collectors = [Collector(file: output.reading), Collector(file: error.reading)]
        var status: Int32 = 0
        var isCancelled = false
        var killTime = Double.infinity
        while true {
            if cancellation.isCancelled, !isCancelled {
                isCancelled = true
                killTime = monotonicSeconds() + 10
                kill(pid, SIGTERM)
            }
            if monotonicSeconds() > killTime { kill(pid, SIGKILL) }
            Collector.wait(for: collectors, milliseconds: 50)
            for index in collectors.indices { collectors[index].collect() }
            // The end is that of the program: one it leaves behind may keep the pipes open.
            if waitpid(pid, &status, WNOHANG) == pid { break }
        }
        for index in collectors.indices { collectors[index].collect() }
        if isCancelled { throw CancellationError() }
        return Ending(status: status, output: collectors[0].text, error: collectors[1].text)
    }

    /// Reads a pipe without ever waiting for it, and keeps the end of what comes.
    private struct Collector {
        let file: Int32
        var bytes: [UInt8] = []
        var isAtEnd = false

        init(file: Int32) {
            self.file = file
            _ = fcntl(file, F_SETFL, O_NONBLOCK)
        }

        var text: String { String(decoding: bytes, as: UTF8.self) }

        static func wait(for collectors: [Collector], milliseconds: Int32) {
            var pollers = collectors.filter { !$0.isAtEnd }.map {
                pollfd(fd: $0.file, events: Int16(POLLIN), revents: 0)
            }
            if pollers.isEmpty { usleep(5000) } else { poll(&pollers, nfds_t(pollers.count), milliseconds) }
        }

        mutating func collect() {
            var piece = [UInt8](repeating: 0, count: 16 << 10)
            while !isAtEnd {
                let count = read(file, &piece, piece.count)
                if count > 0 {
                    bytes += piece[..<count]
                    if bytes.count > 2 * ChildProcess.keptBytes {
                        bytes.removeFirst(bytes.count - ChildProcess.keptBytes)
                    }
                } else if count == 0 {
                    isAtEnd = true
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
