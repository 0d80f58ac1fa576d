import Glibc
import SystemPackage

/// One open local file, closed when nobody holds it any more. Calls block.
final class LocalFile: Sendable {
    let path: String
    private let raw: Int32

    private init(_ path: String, _ raw: Int32) {
        self.path = path
        self.raw = raw
    }

    deinit { close(raw) }

    /// Opens a regular file for reading.
    static func open(reading path: String) throws(WALArchiveError) -> LocalFile {
        let file = LocalFile(path, try call("open \(path)") { Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) })
        guard try file.status().st_mode & S_IFMT == S_IFREG else {
            throw .file("\(path) is no regular file", .invalidArgument)
        }
        return file
    }

    /// Opens an empty file under `path` that no other process writes: one that holds it already is waited for, and
    /// what a killed one left is taken over.
    static func create(_ path: String) throws(WALArchiveError) -> LocalFile {
        while true {
            let raw = try call("create \(path)") { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
            let file = LocalFile(path, raw)
            try call("lock \(path)") { flock(raw, LOCK_EX) }
            // While it was waited for, it may have got its final name.
            var named = stat()
            guard lstat(path, &named) == 0, named.st_ino == (try file.status()).st_ino else { continue }
            try call("truncate \(path)") { ftruncate(raw, 0) }
            return file
        }
    }

    func status() throws(WALArchiveError) -> stat {
        var status = stat()
        try Self.call("stat \(path)") { fstat(raw, &status) }
        return status
    }

    func sizeBytes() throws(WALArchiveError) -> Int { Int(try status().st_size) }

    /// Fills `buffer` from `offset`, up to the end of the file. Returns how many bytes.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(WALArchiveError) -> Int {
        var count = 0
        while count < buffer.count {
            let step = try Self.call("read \(path)") {
                pread(raw, buffer.baseAddress! + count, buffer.count - count, off_t(offset + count))
            }
            if step == 0 { break }
            count += step
        }
        return count
    }

    /// The `count` bytes at `offset`, less where the file ends before.
    func read(_ count: Int, at offset: Int) throws(WALArchiveError) -> [UInt8] {
        var fault: WALArchiveError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            do throws(WALArchiveError) {
                initializedCount = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch { fault = error }
        }
        if let fault { throw fault }
        return bytes
    }

    /// Writes all of it behind what was written before.
    func write(_ bytes: UnsafeRawBufferPointer) throws(WALArchiveError) {
        var count = 0
        while count < bytes.count {
            count += try Self.call("write \(path)") {
                Glibc.write(raw, bytes.baseAddress! + count, bytes.count - count)
            }
        }
    }

    /// Makes the file as long as this, with zeros at its end.
    func extend(to sizeBytes: Int) throws(WALArchiveError) {
        try Self.call("extend \(path)") { ftruncate(raw, off_t(sizeBytes)) }
    }

    /// Makes the content durable and gives the file its final name, in place of whatever has it.
    func commit(as target: String) throws(WALArchiveError) {
        try Self.call("sync \(path)") { fsync(raw) }
        try Self.call("rename \(path) to \(target)") { rename(path, target) }
        try Self.syncDirectory(of: target)
    }

    /// Removes the file under its temporary name.
    func discard() { unlink(path) }

    static func syncDirectory(of path: String) throws(WALArchiveError) {
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let directory = try call("open \(parent)") { Glibc.open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { close(directory) }
        // Some network file systems have no such call, and need none.
        if fsync(directory) != 0, errno != EINVAL, errno != ENOTSUP {
            throw .file("sync \(parent)", Errno(rawValue: errno))
        }
    }

    @discardableResult
    private static func call<Result: FixedWidthInteger>(
        _ what: String, _ body: () -> Result
    ) throws(WALArchiveError) -> Result {
        while true {
            let result = body()
            if result != -1 { return result }
            if errno != EINTR { throw .file(what, Errno(rawValue: errno)) }
        }
    }
}
