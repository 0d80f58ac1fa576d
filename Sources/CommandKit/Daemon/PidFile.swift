import Glibc
import SystemPackage

/// `DIR/<name>.pid`: who runs on a directory. The process that is named there holds a lock on the file for as long as it
/// lives, so that the file of a killed process is no obstacle, and two never run on one directory.
///
/// The file stays when the process ends: a file that is removed could be locked by one and made anew by another.
public final class PidFile: Sendable {
    private let file: Int32

    /// Takes the lock and writes this process's id.
    ///
    /// - Throws: `CommandFailure` with `.temporary` when another process holds it.
    public init(directory: String, name: String) throws(CommandFailure) {
        let path = Self.path(directory, name)
        do {
            file = try systemCall { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
        } catch {
            throw CommandFailure(error, "cannot open \(path)")
        }
        do {
            try Self.lock(file)
            let line = Array("\(getpid())\n".utf8)
            try systemCall { ftruncate(file, 0) }
            try writeAll(file, line)
        } catch {
            close(file)
            guard error == .wouldBlock else { throw CommandFailure(error, "cannot lock \(path)") }
            let process = Self.holder(directory: directory, name: name).map { " (process \($0))" } ?? ""
            throw CommandFailure(
                .temporary, "\(name) runs on \(directory) already\(process)", hint: "stop it, or wait for its end")
        }
    }

    deinit { close(file) }

    /// The process that holds the lock now; nil when none does, whatever the file says.
    public static func holder(directory: String, name: String) -> Int32? {
        let path = path(directory, name)
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard flock(file, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return nil }
        // The holder writes its line right after it has got the lock.
        for attempt in 0..<50 {
            if attempt > 0 { usleep(10_000) }
            guard let text = try? readTextFile(path), text.hasSuffix("\n") else { continue }
            if let pid = Int32(text.dropLast()), pid > 0 { return pid }
        }
        return nil
    }

    static func path(_ directory: String, _ name: String) -> String { "\(directory)/\(name).pid" }

    /// Someone who only looks has the lock for a moment: this is worth a few tries.
    private static func lock(_ file: Int32) throws(Errno) {
        for _ in 0..<10 {
            if flock(file, LOCK_EX | LOCK_NB) == 0 { return }
            if errno != EWOULDBLOCK && errno != EINTR { break }
            usleep(20_000)
        }
        try systemCall { flock(file, LOCK_EX | LOCK_NB) }
    }
}
