import Glibc
import StorageURI
import Synchronization
import SystemPackage

extension FileObjectStore {
    /// Only a delimiter of `/` is known: directories are all that a file system can roll up.
    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        guard limit > 0 else { throw ObjectStoreError(.invalid, "\(location): list \(prefix): a limit of \(limit)") }
        guard delimiter == nil || delimiter == "/" else {
            throw ObjectStoreError(.invalid, "\(location): list \(prefix): a delimiter other than /")
        }
        return try await blocking("list \(prefix)") { [self] cancellation throws(ObjectStoreError) in
            var walk = ListingWalk(
                FileListing(store: self), prefix: prefix, after: after, rollsUp: delimiter != nil, limit: limit,
                cancellation: cancellation)
            do throws(Errno) { try walk.run() } catch { throw failure(error, "list \(prefix)", nil) }
            if cancellation.isCancelled {
                throw ObjectStoreError(.unavailable, "\(location): list", cause: CancellationError())
            }
            return walk.listing
        }
    }

    /// The directory's names: as they were kept, if it has not changed since, or read anew.
    fileprivate func snapshot(of directory: borrowing Descriptor) throws(Errno) -> DirectorySnapshot {
        let status = try directory.status()
        let version = KeptDirectory.Version(status)
        if let kept = lastListed.withLock({ $0 }), kept.version == version { return kept.snapshot }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let snapshot = try DirectorySnapshot(reading: directory)
        // Small ones are read faster than they are worth keeping. A change within the clock's step of the last one
        // does not show in the time, so a directory that has just changed is not kept either.
        let quiet = (now.tv_sec - status.st_mtim.tv_sec) >= 2
        if snapshot.entries.count >= 1000, quiet {
            lastListed.withLock { $0 = KeptDirectory(version: version, snapshot: snapshot) }
        }
        return snapshot
    }
}

/// An open directory that a listing walks through.
private final class WalkedDirectory {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

private struct FileListing: ListableTree {
    let store: FileObjectStore

    func open(directories: [String]) throws(Errno) -> WalkedDirectory? {
        do throws(Errno) { return WalkedDirectory(try store.tree.open(directories: directories)) } catch {
            switch error {
            case .noSuchFileOrDirectory: return nil
            case .notDirectory where !store.tree.rootIsFile: return nil
            default: throw error
            }
        }
    }

    func open(_ name: String, in parent: WalkedDirectory, isTop: Bool) throws(Errno) -> WalkedDirectory? {
        do throws(Errno) {
            return WalkedDirectory(try parent.descriptor.open(name: name, O_RDONLY | O_DIRECTORY))
        } catch {
            switch error {
            case .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels: return nil
            // What every new file system has at its top, for root alone, is no part of the storage.
            case .permissionDenied where isTop && name == "lost+found": return nil
            default: throw error
            }
        }
    }

    func snapshot(of directory: WalkedDirectory) throws(Errno) -> DirectorySnapshot {
        try store.snapshot(of: directory.descriptor)
    }

    func sizeBytes(of name: String, in directory: WalkedDirectory) throws(Errno) -> Int? {
        guard let status = try? directory.descriptor.status(name: name), status.isRegularFile else { return nil }
        return Int(status.st_size)
    }

    func peek(into directory: WalkedDirectory) throws(Errno) -> (holdsObject: Bool, directories: [[UInt8]]) {
        var directories: [[UInt8]] = []
        let stream = try directory.descriptor.directoryStream()
        while let (name, type) = try stream.next() {
            switch try DirectorySnapshot.isDirectory(name, type, in: directory.descriptor) {
            case false?: return (true, directories)
            case true?: directories.append(Array(name))
            case nil: break
            }
        }
        return (false, directories)
    }
}
