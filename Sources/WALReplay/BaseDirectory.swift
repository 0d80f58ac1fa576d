import Glibc
public import PostgresFormat
public import SystemPackage

/// A data directory that nobody writes: what WAL is replayed over.
public final class BaseDirectory {
    public let path: FilePath
    public let control: ControlFile
    public let major: Int
    let versionDirectory: String
    private let blocksPerSegment: Int
    /// Files that are open: nil where there is none.
    private var files: [String: FileDescriptor?] = [:]
    private static let openFiles = 256

    /// - Throws: `Errno` and `FormatError`: it is no data directory, or one of a version that is not known.
    public init(_ path: FilePath) throws {
        self.path = path
        major = try PGVersion(parsing: Self.content(path.appending("PG_VERSION"))).major
        control = try ControlFile(parsing: Self.content(path.appending("global/pg_control")))
        versionDirectory = tablespaceVersionDirectory(major: major, catalogVersion: control.catalogVersion)
        blocksPerSegment = control.segmentBlocks
    }

    deinit { closeAll() }

    private func closeAll() {
        for case let file? in files.values { try? file.close() }
        files.removeAll(keepingCapacity: true)
    }

    private static func content(_ path: FilePath) throws -> [UInt8] {
        let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        return try file.closeAfter {
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
            return Array(bytes[..<count])
        }
    }

    /// A small file's content; nil where it is not there.
    func content(_ relative: String) throws -> [UInt8]? {
        do { return try Self.content(path.appending(relative)) } catch Errno.noSuchFileOrDirectory { return nil }
    }

    private func file(_ relative: String) throws -> FileDescriptor? {
        if let known = files[relative] { return known }
        if files.count >= Self.openFiles { closeAll() }
        do {
            let file = try FileDescriptor.open(path.appending(relative), .readOnly, options: .closeOnExec)
            files[relative] = .some(file)
            return file
        } catch Errno.noSuchFileOrDirectory {
            files[relative] = .some(nil)
            return nil
        }
    }

    /// - Returns: Whether the whole page is there.
    private func read(_ relative: String, page: Int, into bytes: UnsafeMutableRawPointer) throws -> Bool {
        guard let file = try file(relative) else { return false }
        let target = UnsafeMutableRawBufferPointer(start: bytes, count: Page.size)
        return try file.read(fromAbsoluteOffset: Int64(page) * Int64(Page.size), into: target) == Page.size
    }

    /// - Returns: Whether the whole page is there.
    public func readPage(_ fork: RelationFork, _ block: UInt32, into bytes: UnsafeMutableRawPointer) throws -> Bool {
        let segment = Int(block) / blocksPerSegment
        let relative = fork.path(segment: segment, tablespaceVersionDirectory: versionDirectory)
        return try read(relative, page: Int(block) % blocksPerSegment, into: bytes)
    }

    /// How many whole blocks a fork has; nil where it has no file.
    func blockCount(_ fork: RelationFork) throws -> UInt32? {
        var blocks = 0
        for segment in 0... {
            let relative = fork.path(segment: segment, tablespaceVersionDirectory: versionDirectory)
            var status = stat()
            guard stat(path.appending(relative).string, &status) == 0 else {
                guard errno == ENOENT || errno == ENOTDIR else { throw Errno(rawValue: errno) }
                return segment == 0 ? nil : UInt32(blocks)
            }
            let found = Int(status.st_size) / Page.size
            blocks += found
            if found < blocksPerSegment { break }
        }
        return UInt32(blocks)
    }

    func readSLRU(_ kind: SLRUKind, _ page: Int, into bytes: UnsafeMutableRawPointer) throws -> Bool {
        let segment = SLRUSegment(kind: kind, holdingPage: page)
        return try read(segment.path(major: major), page: page - segment.firstPage, into: bytes)
    }

    /// The segments of an SLRU that there are.
    func slruSegments(_ kind: SLRUKind) throws -> [SLRUSegment] {
        try names(in: kind.directory).compactMap { SLRUSegment(kind: kind, fileName: $0) }
    }

    /// Every fork that has a file.
    func relationForks() throws -> [RelationFork] {
        var directories = ["global"] + (try names(in: "base").map { "base/\($0)" })
        for tablespace in try names(in: "pg_tblspc") {
            let own = "pg_tblspc/\(tablespace)/\(versionDirectory)"
            directories += try names(in: own).map { "\(own)/\($0)" }
        }
        var forks: [RelationFork] = []
        for directory in directories {
            for name in try names(in: directory) {
                if case .relation(let fork, segment: 0) = DataDirectoryPath.classify("\(directory)/\(name)") {
                    forks.append(fork)
                }
            }
        }
        return forks
    }

    /// What is in a directory, without dots in front; nothing where it is not there.
    func names(in relative: String) throws -> [String] {
        guard let directory = opendir(path.appending(relative).string) else {
            guard errno == ENOENT || errno == ENOTDIR else { throw Errno(rawValue: errno) }
            return []
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
