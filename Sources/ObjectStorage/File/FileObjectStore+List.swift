import Glibc
import Synchronization
import SystemPackage

extension FileObjectStore {
    /// - Note: The delimiter is `/` or none: directories are all that a file system can roll up.
    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        guard limit > 0 else { throw ObjectStoreError(.invalid, "\(location): list \(prefix): a limit of \(limit)") }
        guard delimiter == nil || delimiter == "/" else {
            throw ObjectStoreError(.invalid, "\(location): list \(prefix): a delimiter other than /")
        }
        return try await blocking("list \(prefix)") { [self] cancellation throws(ObjectStoreError) in
            var walk = ListingWalk(
                store: self, prefix: prefix, after: after, rollsUp: delimiter != nil, limit: limit,
                cancellation: cancellation)
            try walk.run()
            return walk.listing
        }
    }

    /// The directory's names: as they were kept, if it has not changed since, or read anew.
    func snapshot(of directory: borrowing Descriptor) throws(Errno) -> DirectorySnapshot {
        let status = try directory.status()
        let version = DirectorySnapshot.Version(status)
        if let kept = lastListed.withLock({ $0 }), kept.version == version { return kept }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let snapshot = try DirectorySnapshot(reading: directory)
        // Small ones are read faster than they are worth keeping. A change within the clock's step of the last one
        // does not show in the time, so a directory that has just changed is not kept either.
        let quiet = (now.tv_sec - status.st_mtim.tv_sec) >= 2
        if snapshot.entries.count >= 1000, quiet { lastListed.withLock { $0 = snapshot } }
        return snapshot
    }
}
