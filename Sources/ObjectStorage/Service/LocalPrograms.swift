import CProcess
import Glibc
import StorageURI

/// Runs programs of this machine that hand out credentials.
struct LocalPrograms: ProgramRunner {
    struct Failure: Error, CustomStringConvertible { let description: String }

    /// Waiting for a program may take long: other blocking work does not stand in line behind it.
    private static let threads = BlockingWork(width: 4)
    /// What is taken of each output.
    private static let outputLimit = 64 << 10
    private static let usualPath = "/usr/local/bin:/usr/bin:/bin"

    func run(_ request: ProgramRequest) async throws -> ProgramResult {
        try await Self.threads.run { cancellation in try Self.run(request, cancellation) }
    }

    private static func run(
        _ request: ProgramRequest, _ cancellation: BlockingWork.Cancellation
    ) throws -> ProgramResult {
        let output = try Pipe()
        let errors = try Pipe()
        let pid = try start(request, files: [-1, output.writing, errors.writing])
        output.closeWriting()
        errors.closeWriting()
        let deadline = ContinuousClock.now + request.timeout
        var collected = (output: [UInt8](), errors: [UInt8]())
        var status: Int32 = 0
        var hasTimedOut = false
        while true {
            if cancellation.isCancelled || ContinuousClock.now > deadline {
                hasTimedOut = true
                // It leads a session: what it has started ends with it.
                kill(-pid, SIGKILL)
            }
            Pipe.wait(for: [output, errors])
            output.read(into: &collected.output, limit: outputLimit)
            errors.read(into: &collected.errors, limit: outputLimit)
            // The end is that of the program: one it leaves behind may keep the pipes open.
            if waitpid(pid, &status, WNOHANG) == pid { break }
        }
        output.read(into: &collected.output, limit: outputLimit)
        errors.read(into: &collected.errors, limit: outputLimit)
        try cancellation.check()
        let signal = Int(status & 0x7F)
        let ending: ProgramResult.Ending =
            hasTimedOut ? .timedOut : signal == 0 ? .exited(Int((status >> 8) & 0xFF)) : .killed(signal: signal)
        return ProgramResult(ending: ending, output: collected.output, errors: collected.errors)
    }

    private static func start(_ request: ProgramRequest, files: [Int32]) throws(Failure) -> pid_t {
        guard let path = find(request.program, request.environment["PATH"] ?? usualPath) else {
            throw Failure(description: "there is no such program in PATH")
        }
        let arguments = ([request.program] + request.arguments).map { strdup($0) } + [nil]
        let environment = request.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + environment { free(text) } }
        var code: Int32 = 0
        let pid = path.withCString { path in
            arguments.withUnsafeBufferPointer { arguments in
                environment.withUnsafeBufferPointer { environment in
                    files.withUnsafeBufferPointer { files in
                        var start = cprocess_request()
                        start.program = path
                        start.arguments = arguments.baseAddress
                        start.environment = environment.baseAddress
                        start.files = files.baseAddress
                        start.file_count = Int32(files.count)
                        start.starts_session = 1
                        let pid = cprocess_start(&start)
                        code = errno
                        return pid
                    }
                }
            }
        }
        guard pid > 0 else { throw Failure(description: "cannot be started: \(String(cString: strerror(code)))") }
        return pid
    }

    private static func find(_ program: String, _ path: String) -> String? {
        if program.contains("/") { return program }
        return path.split(separator: ":").lazy.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// A pipe that a child writes to and that is read here without ever waiting.
    private final class Pipe {
        let reading: Int32
        private(set) var writing: Int32
        private var isAtEnd = false

        init() throws(Failure) {
            var ends: [Int32] = [0, 0]
            guard cprocess_pipe(&ends) == 0 else {
                throw Failure(description: "cannot make a pipe: \(String(cString: strerror(errno)))")
            }
            (reading, writing) = (ends[0], ends[1])
            _ = fcntl(reading, F_SETFL, O_NONBLOCK)
        }

        deinit {
            close(reading)
            closeWriting()
        }

        func closeWriting() {
            if writing >= 0 { close(writing) }
            writing = -1
        }

        static func wait(for pipes: [Pipe]) {
            var polled = pipes.filter { !$0.isAtEnd }.map { pollfd(fd: $0.reading, events: Int16(POLLIN), revents: 0) }
            if polled.isEmpty { usleep(5000) } else { poll(&polled, nfds_t(polled.count), 50) }
        }

        /// Takes what there is; what is past the limit is dropped.
        func read(into bytes: inout [UInt8], limit: Int) {
            var piece = [UInt8](repeating: 0, count: 16 << 10)
            while !isAtEnd {
                let count = Glibc.read(reading, &piece, piece.count)
                if count > 0 {
                    bytes += piece[..<min(count, limit - bytes.count)]
                } else if count == 0 {
                    isAtEnd = true
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
