import StorageURI

/// One call of `put`: a temporary file beside its place, which takes that place when it is complete.
///
/// - Note: `@unchecked`: one try after the other changes it, never two at a time; the parts of a large object read
///   `temporary` only.
final class SFTPWrite: @unchecked Sendable {
    let path: String
    let directory: String
    private let root: String
    /// Takes note of the root where this makes it.
    private let madeDirectories: MadeDirectories
    let mode: PutMode

    /// The file that is written. Each try to make one takes a new name: a server may carry out late what it was asked
    /// by a connection that is long broken.
    private(set) var temporary = ""
    /// All that may be there, the current one last.
    private(set) var temporaries: [String] = []
    /// The server's clock when the file was made.
    private(set) var serverTime: UInt32?
    var isUploaded = false
    /// Whether the server was asked to give the file its name, be it without an answer.
    var hasAsked = false
    var isCommitted = false
    /// Whether the temporary name is still there beside the new one.
    var temporaryStays = false

    /// As of files that are written locally.
    private static let fileMode = UInt32(FileTree.fileMode)
    private static let directoryMode = UInt32(FileTree.directoryMode)

    init(path: String, directory: String, root: String, madeDirectories: MadeDirectories, mode: PutMode) {
        self.path = path
        self.directory = directory
        self.root = root
        self.madeDirectories = madeDirectories
        self.mode = mode
    }

    func takeTemporaries() -> [String] {
        defer { temporaries = [] }
        return temporaries
    }

    func refuseIfTaken(_ connection: SFTPConnection) throws(ServiceFailure) {
        guard let there = try connection.status(path) else { return }
        throw there.isDirectory ? SSHObjectStore.nameConflict : ServiceFailure(.alreadyExists, "")
    }

    /// Makes the file, and the directories on the way.
    func begin(_ connection: SFTPConnection) throws(ServiceFailure) -> [UInt8] {
        let random = (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 36) }.joined()
        temporary = "\(directory)/\(FileKey.temporaryPrefix)\(random)"
        temporaries.append(temporary)
        hasAsked = false
        let flags = SFTPNumber.write | SFTPNumber.create | SFTPNumber.exclusive
        // A delete elsewhere may remove a directory that is empty, between our making it and writing to it.
        let attemptCount = 100
        for attempt in 1...attemptCount {
            do throws(ServiceFailure) {
                let handle = try connection.open(temporary, flags, mode: Self.fileMode)
                if serverTime == nil {
                    let id = try connection.send(.fileStatus) { $0.put(handle) }
                    serverTime = try connection.attributes(id, temporary)?.modified
                }
                return handle
            } catch {
                if error.code == .unavailable, !connection.isBroken { throw try explained(error, connection) }
                if error.code != .notFound || attempt == attemptCount { throw error }
                try makeDirectory(directory, connection)
            }
        }
        throw ServiceFailure(.unavailable, "\(directory) is removed again and again")
    }

    /// Why no file can be made, where the protocol says only that something failed.
    private func explained(
        _ failure: ServiceFailure, _ connection: SFTPConnection
    ) throws(ServiceFailure) -> ServiceFailure {
        if let way = try connection.status(directory), !way.isDirectory { return SSHObjectStore.nameConflict }
        return try connection.isFull(root) == true
            ? ServiceFailure(.full, "\(directory): its file system is full or takes no writes") : failure
    }

    /// Makes a directory and those above it that are missing.
    private func makeDirectory(_ path: String, _ connection: SFTPConnection) throws(ServiceFailure) {
        let status = try connection.makeDirectory(path, mode: Self.directoryMode)
        if status.isOK { return noteMade(path) }
        // Somebody else may have made it; and a symlink may lead to one.
        if let there = try connection.statusFollowingLinks(path) {
            if there.isDirectory { return }
            throw path == root
                ? ServiceFailure(.invalid, "\(path) is not a directory") : SSHObjectStore.nameConflict
        }
        guard status.code == .noSuchFile, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw try connection.explain(status, path)
        }
        try makeDirectory(String(path[..<slash]), connection)
        let second = try connection.makeDirectory(path, mode: Self.directoryMode)
        if second.isOK { return noteMade(path) }
        if try connection.statusFollowingLinks(path)?.isDirectory != true { throw second.failure(path) }
    }

    private func noteMade(_ path: String) {
        if path == root || root.hasPrefix(path + "/") { madeDirectories.note(path) }
    }

    /// Opens the file to write more of it.
    func reopen(_ connection: SFTPConnection) throws(ServiceFailure) -> [UInt8] {
        do throws(ServiceFailure) { return try connection.open(temporary, SFTPNumber.write) } catch {
            throw error.code == .notFound ? isMissing : error
        }
    }

    /// What a refusal to give the file its name means: unlike for a read, "no such file" is no answer about the object.
    ///
    /// - Parameter hasAskedBefore: Whether an earlier request may have been carried out.
    func refusal(
        _ status: SFTPStatus, _ hasAskedBefore: Bool, _ connection: SFTPConnection
    ) throws(ServiceFailure) -> ServiceFailure {
        guard status.code == .noSuchFile else { return try connection.explain(status, path) }
        // It has not got its name: where the content is at hand, it is written once more.
        if !hasAskedBefore { isUploaded = false }
        return isMissing
    }

    private var isMissing: ServiceFailure {
        var failure = ServiceFailure(.unavailable, "the temporary file \(temporary) is gone")
        failure.isRetryable = true
        return failure
    }
}
