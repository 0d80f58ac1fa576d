import CProcess
import Glibc
import SystemPackage

/// A program to be started.
struct Spawn {
    /// A path; nothing is looked up in `PATH`.
    var program: String
    /// The first one is the program's own name.
    var arguments: [String]
    var environment: [String: String] = [:]
    var workingDirectory: String?
    /// The child's descriptors 0, 1, 2, …; nil is /dev/null. It gets no other.
    var files: [Int32?] = [nil, nil, nil]
    /// Whether it leads a session, and so survives the terminal.
    var startsSession = false
    /// Whom it runs as; nil: as this process does.
    var identity: UserIdentity?

    init(program: String, arguments: [String]) {
        self.program = program
        self.arguments = arguments
    }

    /// - Returns: The process id; the caller waits for it.
    /// - Throws: `CommandFailure`, also when the program cannot be executed.
    func start() throws(CommandFailure) -> Int32 {
        let argumentPointers = arguments.map { strdup($0) } + [nil]
        let environmentPointers = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        let files = files.map { $0 ?? -1 }
        defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
        var code: Int32 = 0
        let pid = program.withCString { program in
            withOptionalCString(workingDirectory) { directory in
                withOptionalCString(identity?.name) { userName in
                    argumentPointers.withUnsafeBufferPointer { arguments in
                        environmentPointers.withUnsafeBufferPointer { environment in
                            files.withUnsafeBufferPointer { files in
                                var request = cprocess_request()
                                request.program = program
                                request.arguments = arguments.baseAddress
                                request.environment = environment.baseAddress
                                request.directory = directory
                                request.files = files.baseAddress
                                request.file_count = Int32(files.count)
                                request.starts_session = startsSession ? 1 : 0
                                request.changes_user = identity == nil ? 0 : 1
                                request.user = identity?.user ?? 0
                                request.group = identity?.group ?? 0
                                request.user_name = userName
                                let pid = cprocess_start(&request)
                                code = errno
                                return pid
                            }
                        }
                    }
                }
            }
        }
        guard pid > 0 else {
            let user = identity.map { " as \($0.name)" } ?? ""
            throw CommandFailure(Errno(rawValue: code), "cannot start \(program)\(user)")
        }
        return pid
    }
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    if let text { text.withCString(body) } else { body(nil) }
}

/// A pipe whose ends no other program inherits.
func makePipe() throws(CommandFailure) -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [0, 0]
    guard cprocess_pipe(&ends) == 0 else { throw CommandFailure(Errno(rawValue: errno), "cannot make a pipe") }
    return (ends[0], ends[1])
}

/// How a process ended, by its status as wait(2) gives it.
func describeEnding(_ status: Int32) -> String {
    let signal = status & 0x7F
    if signal == 0 { return "exit code \((status >> 8) & 0xFF)" }
    return "killed by signal \(signal) (\(String(cString: strsignal(signal))))"
}
