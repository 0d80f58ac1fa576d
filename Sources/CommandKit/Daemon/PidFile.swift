import Glibc
import SystemPackage

/// `DIR/<name>.pid`: who runs on a directory. The lock on it is held for as long as the process lives, so that the
/// file of a process that was killed is no obstacle, and no two ever run on one directory.
public final class PidFile: Sendable {
    private let descriptor: Int32

    /// Takes the lock and writes this process's number.
    ///
    /// - Throws: `CommandFailure` with `.temporary` when another process has it.
    public init(directory: String, name: String) throws(CommandFailure) {
        let path = Self.path(directory, name)
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw CommandFailure(Errno(rawValue: errno), "cannot open \(path)") }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            let pid = Self.number(in: path).map { " (pid \($0))" } ?? ""
            throw CommandFailure(
                .temporary, "another \(name) is working on \(directory)\(pid)", hint: "stop it, or wait for its end")
        }
        descriptor = file
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(file, 0) == 0, pwrite(file, text, text.count, 0) == text.count else {
            throw CommandFailure(Errno(rawValue: errno), "cannot write \(path)")
        }
    }

    deinit { close(descriptor) }

    /// The process that holds the lock; nil when none does.
    public static func holder(directory: String, name: String) -> Int32? {
        let path = path(directory, name)
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        if flock(file, LOCK_SH | LOCK_NB) == 0 { return nil }
        return number(in: path)
    }

    private static func path(_ directory: String, _ name: String) -> String { "\(directory)/\(name).pid" }

    private static func number(in path: String) -> Int32? {
        guard let text = try? readTextFile(path) else { return nil }
        return Int32(text.prefix(while: \.isNumber))
    }
}
