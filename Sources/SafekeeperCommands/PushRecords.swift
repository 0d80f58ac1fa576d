import Glibc
import WALArchive

/// Which segments were pushed before PostgreSQL asked for it, so that its asking is answered at once.
///
/// A record is written when the archive has confirmed the segment, and holds the fingerprint that the file had before
/// and after it was read. It counts only while the file has that fingerprint still: PostgreSQL asking for anything
/// else, also for another content under the same name, is a push as any other.
struct PushRecords {
    private let directory: String

    init(_ work: WorkDirectory) { directory = work.path + "/pushed" }

    /// True when this very file is in the archive. The record is used up.
    func take(_ file: LocalWAL) -> Bool {
        let path = directory + "/" + file.name.text
        guard let text = readSmallFile(path) else { return false }
        unlink(path)
        return file.fingerprint().map { $0.description == text } ?? false
    }

    /// - Parameter fingerprint: From before the push.
    func add(_ file: LocalWAL, _ fingerprint: LocalWAL.Fingerprint) {
        guard file.fingerprint() == fingerprint else { return }
        mkdir(directory, 0o700)
        writeSmallFile(directory + "/" + file.name.text, fingerprint.description)
    }

    func contains(_ file: LocalWAL) -> Bool {
        readSmallFile(directory + "/" + file.name.text).map { $0 == file.fingerprint()?.description } ?? false
    }

    /// Forgets all but these.
    func keep(_ names: Set<String>) {
        for name in entries(of: directory) where !names.contains(name) { unlink(directory + "/" + name) }
    }
}
