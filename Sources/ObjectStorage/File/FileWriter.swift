import Glibc
import SystemPackage

/// One object while it is written: a temporary file beside its place, which takes that place when it is complete.
///
/// - Note: `@unchecked`, as it moves between threads: its owner makes one call after the other, never two at a time.
final class FileWriter: @unchecked Sendable {
    private let directory: Descriptor
    private let file: Descriptor
    private let name: String
    private let temporaryName: String
    private let isDurable: Bool
    private(set) var sizeBytes = 0
    private var writebackOffset = 0
    /// What bypasses the page cache, for large files that need not be durable; nil until there is much to write.
    private var direct: DirectBuffer?
    private var hasTemporary = true

    /// Makes the directories on the way, and the temporary file.
    static func begin(_ place: FileKey, in tree: FileTree, isDurable: Bool) throws(Errno) -> FileWriter {
        // A delete elsewhere may remove a directory that is empty, between our opening it and writing to it.
        let attemptCount = 100
        for attempt in 1...attemptCount {
            do throws(Errno) { return try FileWriter(place, in: tree, isDurable) } catch {
                if error != .noSuchFileOrDirectory || attempt == attemptCount { throw error }
            }
        }
        throw .noSuchFileOrDirectory
    }

    private init(_ place: FileKey, in tree: FileTree, _ isDurable: Bool) throws(Errno) {
        self.isDurable = isDurable
        let random = String(UInt64.random(in: 0 ... .max), radix: 36)
        name = place.name
        temporaryName = "\(FileKey.temporaryPrefix)\(getpid())-\(random)"
        directory = try tree.openOrMake(directories: place.directories)
        file = try directory.open(name: temporaryName, O_WRONLY | O_CREAT | O_EXCL, mode: FileTree.fileMode)
    }

    /// True when the key is taken already: a create-if-absent need not even write.
    var placeIsTaken: Bool { (try? directory.status(name: name)) != nil }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        // A copy that was fetched is not read again at once: it need not push other files out of the cache, and
        // copying it there takes more time than all the rest.
        if !isDurable, sizeBytes == 0, bytes.count >= Self.directBytes, file.setDirect(true) {
            direct = DirectBuffer()
        }
        if let direct { try direct.write(bytes, to: file) } else { try file.write(bytes) }
        advance(by: bytes.count)
    }

    /// From this much in one write on, a file counts as large.
    private static let directBytes = 1 << 20

    /// Copies `count` bytes from `source`, in the kernel where it can. Returns how many; 0 at the source's end.
    func copy(from source: borrowing Descriptor, count: Int) throws(Errno) -> Int {
        precondition(direct == nil, "an object is either written or copied")
        let copied: Int
        do throws(Errno) { copied = try file.copyRange(from: source, count: count) } catch {
            // Not between these two file systems, not on this kernel, or not for this kind of file.
            let unable: [Errno] = [.improperLink, .invalidArgument, .noFunction, .notSupported, .notPermitted]
            if !unable.contains(error) { throw error }
            return try copyThroughMemory(from: source, count: count)
        }
        // Some file systems say 0 where they mean "not I"; reading tells whether it is the end.
        if copied == 0 { return try copyThroughMemory(from: source, count: count) }
        advance(by: copied)
        return copied
    }

    private func copyThroughMemory(from source: borrowing Descriptor, count: Int) throws(Errno) -> Int {
        let sourceRaw = source.raw
        var fault: Errno?
        let buffer = [UInt8](unsafeUninitializedCapacity: min(count, 1 << 20)) { buffer, initializedCount in
            let base = buffer.baseAddress
            let capacity = buffer.count
            do throws(Errno) { initializedCount = try retrying { read(sourceRaw, base, capacity) } } catch {
                fault = error
            }
        }
        if let fault { throw fault }
        buffer.withUnsafeBytes { bytes in
            do throws(Errno) { try write(bytes) } catch { fault = error }
        }
        if let fault { throw fault }
        return buffer.count
    }

    /// The disk begins with what is there while the rest is still being made, so that the sync at the end is short.
    private func advance(by count: Int) {
        sizeBytes += count
        if isDurable, sizeBytes - writebackOffset >= FileObjectStore.stepBytes {
            file.startWriteback(offset: writebackOffset, count: sizeBytes - writebackOffset)
            writebackOffset = sizeBytes
        }
    }

    enum Commitment { case atomic, inTwoSteps }

    /// Makes the object appear. With `createOnly` throws `.fileExists` when the key is taken.
    func commit(_ mode: PutMode) throws(Errno) -> Commitment {
        if let direct {
            _ = file.setDirect(false)  // the end is no whole block
            try direct.flush(to: file)
        }
        if isDurable { try file.syncData() }
        var commitment = Commitment.atomic
        switch mode {
        case .overwrite:
            try directory.rename(temporaryName, to: name)
            hasTemporary = false
        case .createOnly:
            commitment = try create()
        }
        abandon()
        if isDurable { try directory.syncDirectory() }
        return commitment
    }

    private func create() throws(Errno) -> Commitment {
        do throws(Errno) {
            try directory.link(temporaryName, to: name)
            return .atomic
        } catch {
            switch error {
            case .fileExists:
                // A network file system may have done it, lost its answer, and tried again by itself.
                if try file.status().st_nlink == 2, try isSameFile() { return .atomic }
                throw error
            case .notPermitted, .notSupported, .noFunction, .tooManyLinks: break  // no hard links here
            default: throw error
            }
        }
        do throws(Errno) {
            try directory.renameNoReplace(temporaryName, to: name)
            hasTemporary = false
            return .atomic
        } catch {
            let unable: [Errno] = [.invalidArgument, .noFunction, .notSupported]
            if !unable.contains(error) { throw error }
        }
        // Whoever makes the empty file has won; until the rename a reader may find it.
        _ = try directory.open(name: name, O_WRONLY | O_CREAT | O_EXCL, mode: FileTree.fileMode)
        do throws(Errno) { try directory.rename(temporaryName, to: name) } catch {
            try? directory.unlink(name: name)
            throw error
        }
        hasTemporary = false
        return .inTwoSteps
    }

    private func isSameFile() throws(Errno) -> Bool {
        let (ours, there) = (try file.status(), try directory.status(name: name))
        return ours.st_ino == there.st_ino && ours.st_dev == there.st_dev
    }

    /// Removes the temporary file, if it is still there. May be called at any time, and again.
    func abandon() {
        if hasTemporary { try? directory.unlink(name: temporaryName) }
        hasTemporary = false
    }
}
