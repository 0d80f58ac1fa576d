import Synchronization

/// The directory of a host that holds a storage, and which of it was made here.
final class SFTPRoot: Sendable {
    let path: String
    /// The root, and what is above it, as far as this store made them: from the top down.
    private let madeDirectories = Mutex<[String]>([])

    init(path: String) { self.path = path }

    /// Takes note of a directory that was made; below the root that is nothing to remember.
    func noteMade(_ directory: String) {
        guard directory == path || path.hasPrefix(directory + "/") else { return }
        madeDirectories.withLock { $0.append(directory) }
    }

    /// Removes the root, and what was made above it, when nothing is there any more: a storage that was only tried out
    /// leaves no trace. One that was there before stays.
    func removeMade(_ connection: SFTPConnection) throws(ServiceFailure) {
        while let directory = madeDirectories.withLock({ $0.last }) {
            let status = try connection.removeDirectory(directory)
            guard status.isOK || status.code == .noSuchFile else { return }
            madeDirectories.withLock { made in
                if made.last == directory { made.removeLast() }
            }
        }
    }
}
