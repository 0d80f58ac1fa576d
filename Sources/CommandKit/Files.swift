import Glibc
public import SystemPackage

/// Writes a file in one step: whoever opens `path` finds all of the old content or all of the new.
///
/// The new content is on disk when this returns.
func replaceFile(_ path: String, with bytes: [UInt8], mode: mode_t) throws(Errno) {
    let temporary = "\(path).\(getpid()).new"
    let file = try systemCall { open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode) }
    do throws(Errno) {
        defer { close(file) }
        try writeAll(file, bytes)
        try systemCall { fsync(file) }
    } catch {
        unlink(temporary)
        throw error
    }
    do throws(Errno) { try systemCall { rename(temporary, path) } } catch {
        unlink(temporary)
        throw error
    }
    try syncDirectory(of: path)
}

/// Makes a creation, renaming or removal in the directory that holds `path` last.
func syncDirectory(of path: String) throws(Errno) {
    let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let directory = try systemCall { open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { close(directory) }
    try systemCall { fsync(directory) }
}

/// A whole file that a person wrote. More than a mebibyte is no such file.
public func readTextFile(_ path: String) throws(Errno) -> String {
    let file = try systemCall { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        let count = try systemCall { piece.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) } }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += piece[..<count]
        if bytes.count > 1 << 20 { throw .fileTooLarge }
    }
}

/// Writes every byte, however many calls that takes.
func writeAll(_ file: Int32, _ bytes: [UInt8]) throws(Errno) {
    var done = 0
    while done < bytes.count {
        done += try systemCall {
            bytes.withUnsafeBytes { write(file, $0.baseAddress.map { $0 + done }, $0.count - done) }
        }
    }
}

/// Calls again what a signal interrupted, and throws what a call reports as -1.
@discardableResult
func systemCall<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        if errno != EINTR { throw Errno(rawValue: errno) }
    }
}
