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
/// Segments have their whole length from the beginning, as in `pg_wal`: the last one ends in zeros.
struct WALDirectory: Sendable {
    let path: FilePath
    let identity: ClusterIdentity

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
    /// - Parameter prefix: What it begins with; the rest is zeros.
    func create(
        _ segment: WALSegment, prefix: (file: FileDescriptor, count: Int)? = nil
    ) throws(WALStoreError) -> FileDescriptor {
        let target = file(segment)
        let temporary = path.appending(segment.fileName + Self.temporarySuffix)
        do throws(Errno) {
            let descriptor = try retrying {
                try FileDescriptor.open(
                    temporary, .readWrite, options: [.create, .truncate, .closeOnExec],
                    permissions: [.ownerReadWrite, .groupRead])
            }
            do throws(Errno) {
                let code = posix_fallocate(descriptor.rawValue, 0, off_t(segment.size))
                guard code == 0 else { throw Errno(rawValue: code) }
                if let prefix { try copy(prefix.file, prefix.count, to: descriptor) }
                try descriptor.synchronize()
                guard Glibc.rename(temporary.string, target.string) == 0 else { throw Errno.current }
                try synchronizeDirectory(path)
            } catch {
                try? descriptor.close()
                throw error
            }
            return descriptor
        } catch {
            // What does not bear a segment's name is nobody's.
            unlink(temporary.string)
            throw WALStoreError("making the WAL segment \(target)", error)
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

    /// Takes a segment away. Who has its file open reads on.
    func remove(_ segment: WALSegment) throws(WALStoreError) {
        guard unlink(file(segment).string) == 0 || errno == ENOENT else {
            throw WALStoreError("removing \(file(segment))", .current)
        }
    }

    /// Removes what a crash left: files that were not given their name yet.
    func removeUnfinished() throws(WALStoreError) {
        for name in try names() where name.hasSuffix(Self.temporarySuffix) { unlink(path.appending(name).string) }
    }

    // MARK: - Histories

    /// Keeps a timeline's history: whole and on disk, or not there at all.
    func writeHistory(_ content: [UInt8], of timeline: TimelineID) throws(WALStoreError) {
        try writeDurably(content, to: path.appending(TimelineHistoryFile.name(of: timeline)))
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
}
