import Glibc
import SystemPackage

/// The names in one directory as they were read, in the byte order of the keys that they begin.
///
/// That is not the order of the names: `a.b` sorts before what lies in the directory `a`, since `.` is less than `/`.
/// So a directory's name carries its slash. Names lie one after the other in one array; each entry points into it.
struct DirectorySnapshot: Sendable {
    struct Entry: Sendable {
        /// Of the name, with a directory's slash.
        let range: Range<Int>
        let isDirectory: Bool
    }

    /// What tells that a directory has not changed since it was read.
    struct Version: Equatable, Sendable {
        let device: UInt
        let inode: UInt
        let modified: [Int]

        init(_ status: stat) {
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
            modified = [
                status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
            ]
        }
    }

    let version: Version
    private(set) var names: [UInt8] = []
    private(set) var entries: [Entry] = []

    /// Reads a directory from its beginning. What no key can name is left out, as are temporary files.
    init(reading directory: borrowing Descriptor) throws(Errno) {
        version = Version(try directory.status())
        let handle = try directory.directoryStream()
        while let (name, type) = try handle.next() {
            guard let isDirectory = try Self.isDirectory(name, type, in: directory) else { continue }
            let start = names.count
            names.append(contentsOf: name)
            if isDirectory { names.append(UInt8(ascii: "/")) }
            entries.append(Entry(range: start..<names.count, isDirectory: isDirectory))
        }
        names.withUnsafeBytes { bytes in
            entries.sort { a, b in
                Self.compare(UnsafeRawBufferPointer(rebasing: bytes[a.range]), .init(rebasing: bytes[b.range])) < 0
            }
        }
    }

    /// Nil for what is neither a file nor a directory that a key can name.
    static func isDirectory(
        _ name: UnsafeRawBufferPointer, _ type: UInt8, in directory: borrowing Descriptor
    ) throws(Errno) -> Bool? {
        if name.starts(with: FileKey.temporaryPrefix.utf8) { return nil }
        switch Int(type) {
        case DT_REG: return false
        case DT_DIR: return true
        case DT_UNKNOWN:
            // Some file systems do not tell the type along with the name. Gone since: left out.
            guard let status = try? directory.status(name: String(decoding: name, as: UTF8.self)) else { return nil }
            return status.isDirectory ? true : status.isRegularFile ? false : nil
        default: return nil
        }
    }

    /// The first entry that is not less than `bound`.
    func firstIndex(notBefore bound: ArraySlice<UInt8>) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if names[entries[middle].range].lexicographicallyPrecedes(bound) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        guard let aStart = a.baseAddress, let bStart = b.baseAddress else { return a.count - b.count }
        let order = memcmp(aStart, bStart, min(a.count, b.count))
        return order != 0 ? Int(order) : a.count - b.count
    }
}

/// An open directory's names, read one after the other.
struct DirectoryStream: ~Copyable {
    private let handle: OpaquePointer
    fileprivate init(owning handle: OpaquePointer) { self.handle = handle }
    deinit { closedir(handle) }

    /// The next name, valid until the next call, and its type; nil at the end. Never `.` and `..`.
    func next() throws(Errno) -> (UnsafeRawBufferPointer, type: UInt8)? {
        while true {
            errno = 0
            guard let entry = readdir(handle) else {
                if errno != 0 { throw Errno(rawValue: errno) }
                return nil
            }
            let name = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
            let count = strlen(name.assumingMemoryBound(to: CChar.self))
            let bytes = UnsafeRawBufferPointer(start: name, count: count)
            if bytes.elementsEqual(".".utf8) || bytes.elementsEqual("..".utf8) { continue }
            return (bytes, entry.pointee.d_type)
        }
    }
}

extension Descriptor {
    /// The directory's names from the first on. The descriptor stays open, and its own.
    func directoryStream() throws(Errno) -> DirectoryStream {
        let copy = try retrying { fcntl(raw, F_DUPFD_CLOEXEC, 0) }
        guard let handle = fdopendir(copy) else {
            let number = Errno(rawValue: errno)
            close(copy)
            throw number
        }
        rewinddir(handle)  // the copy shares its position with the original
        return DirectoryStream(owning: handle)
    }
}
