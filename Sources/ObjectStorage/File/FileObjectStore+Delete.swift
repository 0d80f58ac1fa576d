import Glibc
import Synchronization
import SystemPackage

extension FileObjectStore {
    /// Removes the files, then the directories that this leaves empty; the root, too, if this store made it.
    public func delete(_ keys: [ObjectKey]) async throws(ObjectStoreError) {
        var places: [FileKey] = []
        for key in keys {
            do throws(FileKey.Fault) { places.append(try FileKey(key)) } catch {
                throw invalid("delete", key, error.description)
            }
        }
        // Each directory is opened and synced once.
        let byDirectory = Dictionary(grouping: places, by: \.directories)
        try await blocking("delete") { [self] cancellation throws(ObjectStoreError) in
            for (directories, places) in byDirectory {
                try remove(places.map(\.name), from: directories, cancellation)
                removeIfEmpty(directories)
            }
        }
    }

    private func remove(
        _ names: [String], from directories: [String], _ cancellation: BlockingWork.Cancellation
    ) throws(ObjectStoreError) {
        func key(_ name: String) -> ObjectKey { ObjectKey((directories + [name]).joined(separator: "/")) }
        let directory: Descriptor
        do throws(Errno) { directory = try tree.open(directories: directories) } catch {
            if error == .noSuchFileOrDirectory || (error == .notDirectory && !tree.rootIsFile) { return }
            throw failure(error, "delete", key(names[0]))
        }
        var hasChanged = false
        for name in names {
            try check(cancellation, "delete", key(name))
            do throws(Errno) {
                try directory.unlink(name: name)
                hasChanged = true
            } catch {
                // A directory is no object; and one that is not there is no error.
                if error != .noSuchFileOrDirectory && error != .isDirectory {
                    throw failure(error, "delete", key(name))
                }
            }
        }
        guard hasChanged else { return }
        do throws(Errno) { try directory.syncDirectory() } catch { throw failure(error, "delete", key(names[0])) }
    }

    /// Best effort: an empty directory that stays is nothing that a listing shows.
    private func removeIfEmpty(_ directories: [String]) {
        var directories = directories
        while let name = directories.popLast() {
            // Whoever makes it again makes it durable again.
            let path = (directories + [name]).joined(separator: "/")
            _ = preparedDirectories.withLock { $0.remove(path) }
            guard let parent = try? tree.open(directories: directories) else { return }
            do throws(Errno) { try parent.removeDirectory(name: name) } catch {
                guard error == .directoryNotEmpty || error == .fileExists,
                    let child = try? parent.open(name: name, O_RDONLY | O_DIRECTORY), removeAbandoned(in: child) > 0,
                    (try? parent.removeDirectory(name: name)) != nil
                else { return }
            }
        }
        if tree.removeMadeRoot() { preparedDirectories.withLock { $0.removeAll() } }
    }

    /// The first time that this store writes to a directory: makes the way to it durable, and clears it of abandoned
    /// temporary files.
    func prepareOnce(_ directories: [String]) throws(Errno) {
        let path = directories.joined(separator: "/")
        if preparedDirectories.withLock({ $0.contains(path) }) { return }
        try tree.syncWay(to: directories)
        preparedDirectories.withLock { prepared in
            if prepared.count >= 10_000 { prepared.removeAll() }  // bounded; a second time does no harm
            prepared.insert(path)
        }
        if let directory = try? tree.open(directories: directories) { removeAbandoned(in: directory) }
    }

    /// Removes temporary files that nobody has written to for a day: what a killed process leaves.
    @discardableResult
    private func removeAbandoned(in directory: borrowing Descriptor) -> Int {
        var names: [String] = []
        do throws(Errno) {
            let stream = try directory.directoryStream()
            while let (name, _) = try stream.next() {
                guard name.starts(with: FileKey.temporaryPrefix.utf8) else { continue }
                names.append(String(decoding: name, as: UTF8.self))
            }
        } catch { return 0 }
        var removedCount = 0
        let oldest = time(nil) - 24 * 60 * 60
        for name in names {
            guard let status = try? directory.status(name: name), status.isRegularFile, status.st_mtim.tv_sec < oldest
            else { continue }
            if (try? directory.unlink(name: name)) != nil { removedCount += 1 }
        }
        return removedCount
    }
}
