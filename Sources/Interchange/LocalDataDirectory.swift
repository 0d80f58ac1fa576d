import Glibc
public import SystemPackage

/// A data directory on this machine.
public struct LocalDataDirectory: DataDirectorySource {
    public let path: FilePath
    public var name: String { path.string }

    public init(path: FilePath) { self.path = path }

    public func entries() async throws -> [SourceEntry] {
        var found: [SourceEntry] = []
        try walk("", besides: tablespaceDirectories(), into: &found)
        return found
    }

    /// A directory, whatever the path to it.
    private struct Identity: Hashable {
        let device: UInt64
        let number: UInt64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            number = UInt64(status.st_ino)
        }
    }

    /// Where the links in `pg_tblspc` lead. It may be inside of the data directory, as exports have it; what is there
    /// is read through the link, and not a second time.
    private func tablespaceDirectories() throws -> Set<Identity> {
        let directory = path.appending("pg_tblspc")
        guard access(directory.string, F_OK) == 0 else { return [] }
        var found: Set<Identity> = []
        for name in try names(in: directory) {
            var status = stat()
            if stat(directory.appending(name).string, &status) == 0 { found.insert(Identity(status)) }
        }
        return found
    }

    public func tablespaces() async throws -> [UInt32: String] {
        var result: [UInt32: String] = [:]
        let directory = path.appending("pg_tblspc")
        for name in try names(in: directory) {
            guard let oid = UInt32(name) else { continue }
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            let length = readlink(directory.appending(name).string, &buffer, Int(PATH_MAX))
            if length < 0 {
                guard errno == EINVAL else { throw failure("read link pg_tblspc/\(name)", errno) }
                result[oid] = ""  // a directory, as allow_in_place_tablespaces makes
            } else {
                result[oid] = String(decoding: buffer[0..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
            }
        }
        return result
    }

    public func open(_ relative: String) async throws -> any SourceFile {
        do {
            let descriptor = try FileDescriptor.open(path.appending(relative), .readOnly)
            return LocalFile(descriptor: descriptor, name: "\(name)/\(relative)")
        } catch let error as Errno { throw InterchangeError.io("\(name): open \(relative): \(error)") }
    }

    public func exists(_ relative: String) async throws -> Bool {
        if access(path.appending(relative).string, F_OK) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else { throw failure("examine \(relative)", errno) }
        return false
    }

    private func walk(_ relative: String, besides tablespaces: Set<Identity>, into found: inout [SourceEntry]) throws {
        let directory = relative.isEmpty ? path : path.appending(relative)
        for name in try names(in: directory) {
            let entryPath = relative.isEmpty ? name : relative + "/" + name
            guard !DataDirectoryRules.leavesOut(entryPath) else { continue }
            var status = stat()
            guard lstat(directory.appending(name).string, &status) == 0 else {
                throw failure("examine \(entryPath)", errno)
            }
            if status.st_mode & S_IFMT == S_IFLNK {
                guard stat(directory.appending(name).string, &status) == 0 else {
                    throw failure("follow the link \(entryPath)", errno)
                }
                // A directory may lie elsewhere where PostgreSQL itself allows it; a file may be a link anywhere.
                guard status.st_mode & S_IFMT == S_IFREG || entryPath == "pg_wal" || relative == "pg_tblspc" else {
                    throw InterchangeError.refused(
                        "\(self.name): \(entryPath) is a link to a directory, which is not carried: replace it by "
                            + "the directory, or take it out of the data directory")
                }
            }
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            guard isDirectory || status.st_mode & S_IFMT == S_IFREG else { continue }  // a socket, a pipe
            if isDirectory, relative != "pg_tblspc", tablespaces.contains(Identity(status)) { continue }
            found.append(
                SourceEntry(
                    path: entryPath, isDirectory: isDirectory, mode: UInt16(status.st_mode & 0o7777),
                    sizeBytes: isDirectory ? 0 : Int(status.st_size)))
            if isDirectory && !DataDirectoryRules.leavesOutContents(entryPath) {
                try walk(entryPath, besides: tablespaces, into: &found)
            }
        }
    }

    private func names(in directory: FilePath) throws -> [String] {
        guard let handle = opendir(directory.string) else { throw failure("list \(directory)", errno) }
        defer { closedir(handle) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(handle) {
            let length = Int(strlen(&entry.pointee.d_name.0))
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix(length)) }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw InterchangeError.refused("\(directory) holds a file whose name is not UTF-8")
            }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw failure("list \(directory)", errno) }
        return names
    }

    private func failure(_ action: String, _ code: Int32) -> InterchangeError {
        .io("\(name): \(action): \(Errno(rawValue: code))")
    }
}

private final class LocalFile: SourceFile {
    private let descriptor: FileDescriptor
    private let name: String

    init(descriptor: FileDescriptor, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    deinit { try? descriptor.close() }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) async throws {
        var done = 0
        while done < buffer.count {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count: Int
            do { count = try descriptor.read(fromAbsoluteOffset: Int64(offset + done), into: part) } catch {
                throw InterchangeError.io("\(name): read at \(offset + done): \(error)")
            }
            guard count > 0 else {
                throw InterchangeError.corrupt("\(name) ended at byte \(offset + done) while it was read")
            }
            done += count
        }
    }
}
