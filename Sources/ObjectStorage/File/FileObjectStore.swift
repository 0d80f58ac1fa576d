import Glibc
public import StorageURI
import Synchronization
import SystemPackage

/// Objects as files below one directory: the key `a/b` is the file `b` in the directory `a`.
///
/// - A reader sees whole objects only, and what a call has reported as written survives a power failure.
/// - Several processes, on several machines if the file system is shared, may use the directory at the same time.
/// - A key that no file can have is `.invalid`: one with an empty, `.` or `..` part, a part longer than 255 bytes, a
///   zero byte, and one that lies below another object or has others below it.
/// - What no key can name is not listed: symlinks (which are never followed below the root), sockets, devices, and
///   names that are not UTF-8.
public final class FileObjectStore: ObjectStore {
    public let location: StorageLocation
    let tree: FileTree
    let work: BlockingWork
    /// False where what is written may wait in memory until the system writes it out, as with `cp`.
    let isDurable: Bool
    /// The largest directory listed last, so that the next page does not read and sort all of it again.
    let lastListed = Mutex<KeptDirectory?>(nil)
    /// Directories that this store has already prepared for writing.
    let preparedDirectories = Mutex<Set<String>>([])
    private let hasAtomicCreate = Atomic<Bool>(true)

    /// False once a create-if-absent had to be done in two steps, because the file system knows neither hard links
    /// nor a rename that replaces nothing. One writer still wins; a crash may leave an empty object under the key.
    /// `StorageProbe` does a create, so that this is known from the start.
    public var createsAtomically: Bool { hasAtomicCreate.load(ordering: .relaxed) }

    /// - Parameters:
    ///   - root: An absolute path. The directory is made with the first object; until then the storage is empty.
    ///   - location: What messages name. By default the root as a `file` location.
    ///   - isDurable: False for copies that can be made again: what a call reports as written may be lost with the power.
    public convenience init(root: String, location: StorageLocation? = nil, isDurable: Bool = true) {
        self.init(
            root: root, location: location, resolvesBeneath: FileTree.kernelResolvesBeneath, isDurable: isDurable)
    }

    init(
        root: String, location: StorageLocation?, resolvesBeneath: Bool, work: BlockingWork = .shared,
        isDurable: Bool = true
    ) {
        precondition(root.utf8.first == UInt8(ascii: "/"), "the root of a file storage is an absolute path")
        self.location = location ?? StorageLocation(scheme: .file, container: "", path: root)
        tree = FileTree(root: root, resolvesBeneath: resolvesBeneath)
        self.work = work
        self.isDurable = isDurable
    }

    /// The file of an object.
    func path(of key: ObjectKey) -> String { "\(tree.root)/\(key)" }

    func noteCreateInTwoSteps() { hasAtomicCreate.store(false, ordering: .relaxed) }

    public func head(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectInfo {
        try await blocking("head", key) { [self] place, _ throws(ObjectStoreError) in
            ObjectInfo(key: key, sizeBytes: try openObject("head", key, place).sizeBytes)
        }
    }

    public func get(_ key: ObjectKey, range: Range<Int>?) async throws(ObjectStoreError) -> [UInt8] {
        if let range, range.lowerBound < 0 { throw invalid("get", key, "the range \(range) begins below 0") }
        return try await blocking("get", key) { [self] place, cancellation throws(ObjectStoreError) in
            let object = try openObject("get", key, place)
            let whole = 0..<object.sizeBytes
            return try read((range ?? whole).clamped(to: whole), of: object.file, key, cancellation)
        }
    }

    /// Opens the file of an object and tells its length.
    private func openObject(
        _ what: String, _ key: ObjectKey, _ place: FileKey
    ) throws(ObjectStoreError) -> OpenObject {
        do throws(Errno) {
            // Non-blocking, so that a named pipe that somebody left there does not hold the thread.
            let flags = O_RDONLY | O_NONBLOCK
            let file = try tree.open(directories: place.directories, name: place.name, flags)
            let status = try file.status()
            if status.isRegularFile { return OpenObject(file: file, sizeBytes: Int(status.st_size)) }
            if status.isDirectory { throw Errno.noSuchFileOrDirectory }
        } catch {
            // Below a file there is no object.
            let isBelowFile = error == .notDirectory && !tree.rootIsFile
            throw failure(isBelowFile ? .noSuchFileOrDirectory : error, what, key)
        }
        throw ObjectStoreError(.corrupt, "\(location): \(what) \(key): not a regular file")
    }

    private func read(
        _ range: Range<Int>, of file: borrowing Descriptor, _ key: ObjectKey, _ cancellation: BlockingWork.Cancellation
    ) throws(ObjectStoreError) -> [UInt8] {
        var fault: ObjectStoreError?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, initializedCount in
            do throws(ObjectStoreError) {
                let whole = UnsafeMutableRawBufferPointer(buffer)
                while initializedCount < range.count {
                    try check(cancellation, "get", key)
                    let end = min(range.count, initializedCount + Self.stepBytes)
                    let piece = UnsafeMutableRawBufferPointer(rebasing: whole[initializedCount..<end])
                    let count = try readPiece(of: file, into: piece, at: range.lowerBound + initializedCount, key)
                    initializedCount += count
                    if count < piece.count {
                        throw ObjectStoreError(
                            .corrupt, "\(location): get \(key): the file was cut off while it was read")
                    }
                }
            } catch { fault = error }
        }
        if let fault { throw fault }
        return bytes
    }

    private func readPiece(
        of file: borrowing Descriptor, into piece: UnsafeMutableRawBufferPointer, at offset: Int, _ key: ObjectKey
    ) throws(ObjectStoreError) -> Int {
        do throws(Errno) { return try file.read(into: piece, at: offset) } catch { throw failure(error, "get", key) }
    }
}

/// The file of an object, open for reading.
struct OpenObject: ~Copyable {
    let file: Descriptor
    let sizeBytes: Int
}
