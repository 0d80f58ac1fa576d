import Glibc
import SystemPackage

/// A WAL file on this machine.
public struct LocalWAL: Sendable, Hashable {
    public let path: String
    public let name: WALFileName

    public init(path: String, name: WALFileName) {
        self.path = path
        self.name = name
    }

    /// What tells whether a file is still the one that it was: changes with every write and every renaming.
    public struct Fingerprint: Sendable, Hashable, CustomStringConvertible {
        /// In one line: two are the same when their texts are.
        public let description: String
        public let sizeBytes: Int

        fileprivate init(_ status: stat) {
            sizeBytes = Int(status.st_size)
            let (changed, modified) = (status.st_ctim, status.st_mtim)
            description =
                "\(status.st_dev) \(status.st_ino) \(status.st_size) \(modified.tv_sec).\(modified.tv_nsec) "
                + "\(changed.tv_sec).\(changed.tv_nsec)"
        }
    }

    /// Nil when there is no such file.
    public func fingerprint() -> Fingerprint? {
        var status = stat()
        return stat(path, &status) == 0 ? Fingerprint(status) : nil
    }

    /// Proves that the file is what its name promises, by its first page and its length. Returns that.
    ///
    /// - Throws: `WALArchiveError.damaged`, `.file`.
    @discardableResult
    public func check() throws(WALArchiveError) -> Int {
        let file = try LocalFile.open(reading: path)
        let sizeBytes = try file.sizeBytes()
        try WALContentCheck.check(file, sizeBytes: sizeBytes, name, systemIdentifier: nil)
        return sizeBytes
    }

    /// Puts the file, which is on disk already, under another path, in place of what is there.
    ///
    /// The directory is not synced: PostgreSQL, which asked for the file, renames it once more and syncs then.
    public func move(to target: String) throws(WALArchiveError) {
        if rename(path, target) == 0 { return }
        guard errno == EXDEV else { throw .file("rename \(path) to \(target)", Errno(rawValue: errno)) }
        let (source, copy) = (try LocalFile.open(reading: path), try LocalFile.create(target + ".zenith-fetch"))
        do throws(WALArchiveError) {
            var offset = 0
            while true {
                let piece = try source.read(1 << 20, at: offset)
                if piece.isEmpty { break }
                var fault: WALArchiveError?
                piece.withUnsafeBytes { bytes in
                    do throws(WALArchiveError) { try copy.write(bytes) } catch { fault = error }
                }
                if let fault { throw fault }
                offset += piece.count
            }
            try copy.commit(as: target)
        } catch {
            copy.discard()
            throw error
        }
        unlink(path)
    }
}
