import Glibc
import PostgresFormat
import SystemPackage

/// Whose WAL it is: what every segment's first page says, or must agree with.
public struct ClusterIdentity: Sendable, Equatable, Codable {
    public let systemIdentifier: UInt64
    /// In bytes.
    public let segmentSize: Int
    /// PostgreSQL's major version.
    public let major: Int

    public init(systemIdentifier: UInt64, segmentSize: Int, major: Int) {
        self.systemIdentifier = systemIdentifier
        self.segmentSize = segmentSize
        self.major = major
    }
}

/// The files of WAL: segments and timeline histories under PostgreSQL's own names, so that its programs read them.
///
/// Segments have their whole length from the beginning, as in `pg_wal`: the last one ends in zeros, or in what a reused
/// file held before, which no reader takes for WAL since its pages tell another position.
struct WALDirectory: Sendable {
    let path: FilePath
    let identity: ClusterIdentity

    /// Files to be reused are called this, and a number.
    private static let sparePrefix = "spare-"
    private static let temporarySuffix = ".writing"

    func file(_ segment: WALSegment) -> FilePath { path.appending(segment.fileName) }

    /// All segments that are here, by timeline and number.
    func segments() throws(WALStoreError) -> [WALSegment] {
        try names().compactMap { WALSegment(fileName: $0, size: identity.segmentSize) }
            .sorted { ($0.timeline, $0.number) < ($1.timeline, $1.number) }
    }

    func names() throws(WALStoreError) -> [String] {
        guard let stream = opendir(path.string) else { throw WALStoreError("reading \(path)", .current) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw WALStoreError("reading \(path)", .current) }
                return names
            }
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
    }

    /// Makes the file of a segment, all of its space taken, under its own name only when it is on disk.
    ///
    /// - Parameter prefix: What it begins with; a reused file is empty beyond it, as far as any reader of WAL goes.
    func create(
        _ segment: WALSegment, prefix: (file: FileDescriptor, count: Int)? = nil
    ) throws(WALStoreError) -> FileDescriptor {
        let target = file(segment)
        let temporary = path.appending(segment.fileName + Self.temporarySuffix)
        let action = "making the WAL segment \(target)"
        let spare = try spares().first
        if let spare { try rename(spare, temporary) }
        do throws(Errno) {
            let options: FileDescriptor.OpenOptions = spare == nil ? [.create, .truncate, .closeOnExec] : .closeOnExec
            let descriptor = try retrying {
                try FileDescriptor.open(
                    temporary, .readWrite, options: options, permissions: [.ownerReadWrite, .groupRead])
            }
            do throws(Errno) {
                if spare == nil {
                    let code = posix_fallocate(descriptor.rawValue, 0, off_t(segment.size))
                    guard code == 0 else { throw Errno(rawValue: code) }
                }
                if let prefix { try copy(prefix.file, prefix.count, to: descriptor) }
                try descriptor.synchronize()
                guard Glibc.rename(temporary.string, target.string) == 0 else { throw Errno.current }
                try synchronizeDirectory()
            } catch {
                try? descriptor.close()
                throw error
            }
            return descriptor
        } catch {
            // What does not bear a segment's name is nobody's.
            unlink(temporary.string)
            throw WALStoreError(action, error)
        }
    }

    private func copy(_ source: FileDescriptor, _ count: Int, to target: FileDescriptor) throws(Errno) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var offset = 0
        while offset < count {
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, count - offset)])
            let read = try source.readFully(at: offset, into: piece)
            guard read == piece.count else { throw Errno.ioError }
            try target.writeFully(at: offset, UnsafeRawBufferPointer(piece))
            offset += read
        }
    }

    // MARK: - Removal and reuse

    /// How many files are kept for reuse: the next ones of a busy server, without holding much of the disk.
    private static let spareCount = 2

    /// Takes a segment away; its file may be reused.
    func remove(_ segment: WALSegment) throws(WALStoreError) {
        let taken = Set(try spares())
        if taken.count < Self.spareCount {
            let name = (0...Self.spareCount).lazy.map { path.appending(Self.sparePrefix + String($0)) }
                .first { !taken.contains($0) }
            if let name { return try rename(file(segment), name) }
        }
        guard unlink(file(segment).string) == 0 || errno == ENOENT else {
            throw WALStoreError("removing \(file(segment))", .current)
        }
    }

    private func spares() throws(WALStoreError) -> [FilePath] {
        try names().filter { $0.hasPrefix(Self.sparePrefix) }.map { path.appending($0) }
    }

    private func rename(_ from: FilePath, _ to: FilePath) throws(WALStoreError) {
        guard Glibc.rename(from.string, to.string) == 0 else {
            throw WALStoreError("renaming \(from) to \(to)", .current)
        }
    }

    /// Removes what a crash left: files that were not given their name yet.
    func removeUnfinished() throws(WALStoreError) {
        for name in try names() where name.hasSuffix(Self.temporarySuffix) { unlink(path.appending(name).string) }
    }

    // MARK: - Histories

    /// Keeps a timeline's history: whole and on disk, or not there at all.
    func writeHistory(_ content: [UInt8], of timeline: TimelineID) throws(WALStoreError) {
        let target = path.appending(TimelineHistoryFile.name(of: timeline))
        let temporary = FilePath(target.string + Self.temporarySuffix)
        do throws(Errno) {
            let descriptor = try retrying {
                try FileDescriptor.open(
                    temporary, .writeOnly, options: [.create, .truncate, .closeOnExec],
                    permissions: [.ownerReadWrite, .groupRead])
            }
            defer { try? descriptor.close() }
            try retrying { try content.withUnsafeBytes { try descriptor.writeFully(at: 0, $0) } }
            try descriptor.synchronize()
            guard Glibc.rename(temporary.string, target.string) == 0 else { throw Errno.current }
            try synchronizeDirectory()
        } catch {
            throw WALStoreError("writing \(target)", error)
        }
    }

    /// Nil where there is none.
    func history(of timeline: TimelineID) throws(WALStoreError) -> [UInt8]? {
        let source = path.appending(TimelineHistoryFile.name(of: timeline))
        do throws(Errno) {
            let descriptor = try retrying { try FileDescriptor.open(source, .readOnly, options: .closeOnExec) }
            defer { try? descriptor.close() }
            var content = [UInt8](repeating: 0, count: Self.longestHistory)
            let count = try retrying {
                try content.withUnsafeMutableBytes { try descriptor.readFully(at: 0, into: $0) }
            }
            return Array(content[..<count])
        } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw WALStoreError("reading \(source)", error)
        }
    }

    /// A line for each timeline: some ten thousand of them.
    private static let longestHistory = 1 << 20

    func synchronizeDirectory() throws(Errno) {
        let descriptor = try retrying { try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec]) }
        defer { try? descriptor.close() }
        try descriptor.synchronize()
    }
}
