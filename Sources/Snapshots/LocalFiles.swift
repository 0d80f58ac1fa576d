import Glibc
public import SystemPackage

/// A local file or directory could not be used.
public struct LocalFileError: Error, Sendable, CustomStringConvertible {
    public let action: String
    public let code: Errno
    public var description: String { "\(action): \(code)" }

    init(_ action: String, _ code: Int32) {
        self.action = action
        self.code = Errno(rawValue: code)
    }
}

extension FileDescriptor {
    /// fsync: the file's content and length are on disk when it returns.
    func synchronize() throws {
        while fsync(rawValue) != 0 {
            guard errno == EINTR else { throw Errno(rawValue: errno) }
        }
    }
}

func rename(_ from: FilePath, to: FilePath) throws {
    guard Glibc.rename(from.string, to.string) == 0 else { throw LocalFileError("rename \(from) to \(to)", errno) }
}

/// Makes a directory and those above it that are missing; each is on disk when it returns.
public func makeDirectories(_ path: FilePath, mode: UInt16 = 0o700) throws {
    if mkdir(path.string, mode_t(mode)) == 0 {
        try synchronizeDirectory(path.removingLastComponent())
        return
    }
    switch errno {
    case EEXIST: return
    case ENOENT:
        let parent = path.removingLastComponent()
        guard parent != path else { throw LocalFileError("make directory \(path)", ENOENT) }
        try makeDirectories(parent, mode: mode)
        try makeDirectories(path, mode: mode)
    default: throw LocalFileError("make directory \(path)", errno)
    }
}

/// fsync of a directory: the names in it are on disk when it returns.
public func synchronizeDirectory(_ path: FilePath) throws {
    let descriptor = open(path.isEmpty ? "." : path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw LocalFileError("open \(path)", errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw LocalFileError("synchronize \(path)", errno) }
}

/// What a file is called while `writeDurably` writes it.
public func temporaryName(for name: String) -> String { ".\(name).writing" }

/// Replaces a file in one step: written beside it, synchronized, renamed, and the directory synchronized.
public func writeDurably(_ bytes: [UInt8], to path: FilePath, mode: FilePermissions = [.ownerReadWrite]) throws {
    let temporary = path.removingLastComponent().appending(temporaryName(for: path.lastComponent!.string))
    do {
        let descriptor = try FileDescriptor.open(
            temporary, .writeOnly, options: [.create, .truncate], permissions: mode)
        try descriptor.closeAfter {
            _ = try bytes.withUnsafeBytes { try descriptor.writeAll($0) }
            try descriptor.synchronize()
        }
    } catch let error as Errno {
        unlink(temporary.string)
        throw LocalFileError("write \(path)", error.rawValue)
    }
    try rename(temporary, to: path)
    try synchronizeDirectory(path.removingLastComponent())
}

/// A whole small file.
public func readFile(_ path: FilePath, limit: Int = 1 << 30) throws -> [UInt8] {
    do {
        let descriptor = try FileDescriptor.open(path, .readOnly)
        return try descriptor.closeAfter {
            let size = Int(try descriptor.seek(offset: 0, from: .end))
            guard size <= limit else { throw Errno.fileTooLarge }
            return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                while count < size {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
                    let read = try descriptor.read(fromAbsoluteOffset: Int64(count), into: rest)
                    if read == 0 { break }
                    count += read
                }
            }
        }
    } catch let error as Errno { throw LocalFileError("read \(path)", error.rawValue) }
}

/// The names in a directory; none when it is not there.
public func directoryEntries(_ path: FilePath) throws -> [String] {
    guard let handle = opendir(path.string) else {
        guard errno == ENOENT else { throw LocalFileError("list \(path)", errno) }
        return []
    }
    defer { closedir(handle) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(handle) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
        errno = 0
    }
    guard errno == 0 else { throw LocalFileError("list \(path)", errno) }
    return names
}

/// Removes a directory and all below it, without following links. One that is not there is no error.
public func removeTree(_ path: FilePath) throws {
    var status = stat()
    guard lstat(path.string, &status) == 0 else {
        guard errno == ENOENT else { throw LocalFileError("examine \(path)", errno) }
        return
    }
    if status.st_mode & S_IFMT == S_IFDIR {
        for name in try directoryEntries(path) { try removeTree(path.appending(name)) }
        guard rmdir(path.string) == 0 else { throw LocalFileError("remove \(path)", errno) }
    } else {
        guard unlink(path.string) == 0 || errno == ENOENT else { throw LocalFileError("remove \(path)", errno) }
    }
}
