public import StorageURI
import Synchronization

/// Objects as files below a directory of a host that is reached by SFTP: the key `a/b` is the file `b` in the directory
/// `a`, as with `FileObjectStore`, which may be used on the host itself at the same time.
///
/// - A reader sees whole objects only. What a call has reported as written is on the host's disk where its server can
///   tell (`fsync`); that the name survives a power failure too is up to the host's file system.
/// - A key that no file can have is `.invalid`: one with an empty, `.` or `..` part, a part longer than 255 bytes, a
///   zero byte, and one that lies below another object or has others below it.
/// - Symlinks are not listed. What a link in the way of a key leads to, the host decides.
public final class SSHObjectStore: ObjectStore {
    public let location: StorageLocation
    let host: SSHHost
    /// Parts under way, over all calls: memory is this many times the part size, and the part in the making.
    let uploads: AsyncSemaphore
    /// The large directory that the last page of a listing ended in, so that the next page does not read all of it
    /// again.
    let lastListed = Mutex<SFTPKeptDirectory?>(nil)
    /// Directories that this store has already cleared of what killed writers left.
    let clearedDirectories = Mutex<Set<String>>([])
    let madeDirectories = MadeDirectories()
    private let hasHardLinks = Atomic<Bool>(true)

    /// False once a create-if-absent had to look first and write after, because the server or its file system knows no
    /// hard links. Then two writers that look at the same moment may both win, the last one's object staying.
    /// `StorageProbe` does a create, so that this is known from the start.
    public var createsAtomically: Bool { hasHardLinks.load(ordering: .relaxed) }

    func noteMissingHardLinks() { hasHardLinks.store(false, ordering: .relaxed) }

    init(
        location: StorageLocation, options: SSHOptions, findCredentials: @escaping @Sendable () throws -> SSHCredentials
    ) {
        self.location = location
        host = SSHHost(options: options, findCredentials: findCredentials)
        uploads = AsyncSemaphore(count: options.uploadConcurrency)
    }

    // MARK: - Paths

    /// The path of a directory below the root, without a slash at its end unless it is the file system's own root.
    func path(of directories: some Sequence<String>) -> String {
        let below = directories.joined(separator: "/")
        if below.isEmpty { return location.path }
        return location.path.hasSuffix("/") ? location.path + below : "\(location.path)/\(below)"
    }

    func path(of place: FileKey) -> String { path(of: place.directories + [place.name]) }

    func place(_ key: ObjectKey) throws(ServiceFailure) -> FileKey {
        do throws(FileKey.Fault) { return try FileKey(key) } catch { throw ServiceFailure(.invalid, error.description) }
    }

    // MARK: - Failures

    /// Runs `work` and puts its failure into words: what was done, on what, and with whose credentials.
    func naming<Value>(
        _ action: String, _ key: ObjectKey?, _ work: () async throws(ServiceFailure) -> Value
    ) async throws(ObjectStoreError) -> Value {
        do throws(ServiceFailure) { return try await work() } catch {
            throw error.error(action, key, at: location, credentials: host.credentialSource)
        }
    }

    /// What is in the way where a file should be.
    static let nameConflict = ServiceFailure(.invalid, "the same name is an object and a directory of others")
}
