import CFileSystem
import Glibc
import SystemPackage

/// One open file or directory, owned: closed exactly once, when the value goes out of scope.
///
/// Every call is repeated when a signal interrupts it, and throws the error number when it fails.
struct Descriptor: ~Copyable {
    let raw: Int32
    private init(owning raw: Int32) { self.raw = raw }
    deinit { close(raw) }

    /// Opens by any path: follows symlinks.
    static func open(_ path: String, _ flags: Int32) throws(Errno) -> Descriptor {
        Descriptor(owning: try retrying { Glibc.open(path, flags | O_CLOEXEC) })
    }

    /// Opens, or with `O_CREAT` makes, an entry of this directory. A symlink is not followed.
    func open(name: String, _ flags: Int32, mode: mode_t = 0) throws(Errno) -> Descriptor {
        Descriptor(owning: try retrying { openat(raw, name, flags | O_CLOEXEC | O_NOFOLLOW, mode) })
    }

    /// Opens `path` below this directory in one call of the kernel, which refuses symlinks and every way out.
    func openBeneath(_ path: String, _ flags: Int32) throws(Errno) -> Descriptor {
        Descriptor(owning: try retrying { cfs_open_beneath(raw, path, flags | O_CLOEXEC | O_NOFOLLOW, 0) })
    }

    func status() throws(Errno) -> stat {
        var status = stat()
        try retrying { fstat(raw, &status) }
        return status
    }

    /// The status of an entry of this directory; of a symlink its own.
    func status(name: String) throws(Errno) -> stat {
        var status = stat()
        try retrying { fstatat(raw, name, &status, AT_SYMLINK_NOFOLLOW) }
        return status
    }

    func makeDirectory(name: String, mode: mode_t) throws(Errno) { try retrying { mkdirat(raw, name, mode) } }
    func unlink(name: String) throws(Errno) { try retrying { unlinkat(raw, name, 0) } }
    func removeDirectory(name: String) throws(Errno) { try retrying { unlinkat(raw, name, AT_REMOVEDIR) } }
    func rename(_ from: String, to: String) throws(Errno) { try retrying { renameat(raw, from, raw, to) } }
    func link(_ from: String, to: String) throws(Errno) { try retrying { linkat(raw, from, raw, to, 0) } }
    func renameNoReplace(_ from: String, to: String) throws(Errno) {
        try retrying { cfs_rename_no_replace(raw, from, to) }
    }

    func syncData() throws(Errno) { try retrying { fdatasync(raw) } }

    /// Makes the directory's entries durable. Some network file systems have no such call, and need none; and one
    /// that may be passed through but not read cannot be synced.
    func syncDirectory() throws(Errno) {
        do throws(Errno) { try retrying { fsync(raw) } } catch {
            let harmless: [Errno] = [.invalidArgument, .notSupported, .badFileDescriptor]
            if !harmless.contains(error) { throw error }
        }
    }

    /// Reads until `buffer` is full or the file ends. Returns how many bytes.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(Errno) -> Int {
        var count = 0
        while count < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
            let step = try retrying { pread(raw, rest.baseAddress, rest.count, off_t(offset + count)) }
            if step == 0 { break }
            count += step
        }
        return count
    }

    /// Writes all of it at the file's own position.
    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) {
        var count = 0
        while count < buffer.count {
            let rest = UnsafeRawBufferPointer(rebasing: buffer[count...])
            count += try retrying { Glibc.write(raw, rest.baseAddress, rest.count) }
        }
    }

    /// Lets writes pass the page cache by, or not. False where the file system does not take that.
    func setDirect(_ isDirect: Bool) -> Bool { cfs_set_direct(raw, isDirect ? 1 : 0) == 0 }

    /// Copies up to `count` bytes inside the kernel, at both files' own positions. Returns how many; 0 at the end.
    func copyRange(from source: borrowing Descriptor, count: Int) throws(Errno) -> Int {
        let sourceRaw = source.raw
        return try retrying { cfs_copy_range(sourceRaw, raw, count) }
    }

    func startWriteback(offset: Int, count: Int) { cfs_start_writeback(raw, off_t(offset), off_t(count)) }
}

/// Runs a system call until no signal interrupts it.
@discardableResult
func retrying<Result: FixedWidthInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let number = Errno(rawValue: errno)
        if number != .interrupted { throw number }
    }
}

extension stat {
    var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
    var isRegularFile: Bool { st_mode & S_IFMT == S_IFREG }
    var isSymlink: Bool { st_mode & S_IFMT == S_IFLNK }
}
