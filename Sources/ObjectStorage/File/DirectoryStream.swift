import Glibc
import SystemPackage

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

extension DirectorySnapshot {
    /// Reads a directory from its beginning. What no key can name is left out, as are temporary files.
    init(reading directory: borrowing Descriptor) throws(Errno) {
        self.init()
        let stream = try directory.directoryStream()
        while let (name, type) = try stream.next() {
            guard let isDirectory = try Self.isDirectory(name, type, in: directory) else { continue }
            add(name, isDirectory: isDirectory)
        }
        sort()
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
}

/// A large directory's names, and what tells that it has not changed since they were read.
struct KeptDirectory: Sendable {
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
    let snapshot: DirectorySnapshot
}
