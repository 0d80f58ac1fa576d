import StorageURI
import Synchronization

/// A large directory's names, and what a listing goes on behind.
struct SFTPKeptDirectory: Sendable {
    let path: String
    let next: ObjectKey
    /// Of the directory, before it was read.
    let attributes: SFTPAttributes
    let snapshot: DirectorySnapshot
}

extension SSHObjectStore {
    /// Only a delimiter of `/` is known: directories are all that a file system can roll up.
    public func list(
        prefix: String, delimiter: String?, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectListing {
        try await naming(prefix.isEmpty ? "listing objects" : "listing \(prefix)", nil) {
            () async throws(ServiceFailure) in
            guard limit > 0 else { throw ServiceFailure(.invalid, "a limit of \(limit)") }
            guard delimiter == nil || delimiter == "/" else {
                throw ServiceFailure(.invalid, "a delimiter other than /")
            }
            return try await host.perform { [self] (connection) throws(ServiceFailure) in
                let tree = SFTPListing(store: self, connection: connection, after: after)
                var walk = ListingWalk(
                    tree, prefix: prefix, after: after, rollsUp: delimiter != nil, limit: limit,
                    cancellation: connection.cancellation)
                try walk.run()
                if connection.cancellation.isCancelled { throw .cancelled(CancellationError()) }
                lastListed.withLock { $0 = tree.kept(for: walk.listing.next) }
                return walk.listing
            }
        }
    }
}

/// The directories of one page of a listing.
private final class SFTPListing: ListableTree {
    /// Smaller directories are read faster than they are worth keeping.
    private static let keptCount = 1000

    private let store: SSHObjectStore
    private let connection: SFTPConnection
    private let after: ObjectKey?
    private var large: (path: String, attributes: SFTPAttributes, snapshot: DirectorySnapshot)?

    init(store: SSHObjectStore, connection: SFTPConnection, after: ObjectKey?) {
        self.store = store
        self.connection = connection
        self.after = after
    }

    func kept(for next: ObjectKey?) -> SFTPKeptDirectory? {
        guard let next, let large else { return nil }
        return SFTPKeptDirectory(
            path: large.path, next: next, attributes: large.attributes, snapshot: large.snapshot)
    }

    /// The path, where something is a directory.
    private func directory(_ path: String, isRoot: Bool) throws(ServiceFailure) -> String? {
        // The root may be a symlink: that is the administrator's choice.
        let attributes = isRoot ? try connection.statusFollowingLinks(path) : try connection.status(path)
        if isRoot, let attributes, !attributes.isDirectory {
            throw ServiceFailure(.invalid, "\(path) is not a directory")
        }
        return attributes?.isDirectory == true ? path : nil
    }

    func open(directories: [String]) throws(ServiceFailure) -> String? {
        try directory(store.path(of: directories), isRoot: directories.isEmpty)
    }

    /// The snapshot has told that it is a directory.
    func open(_ name: String, in parent: String, isTop: Bool) throws(ServiceFailure) -> String? {
        parent.hasSuffix("/") ? parent + name : "\(parent)/\(name)"
    }

    func snapshot(of directory: String) throws(ServiceFailure) -> DirectorySnapshot {
        let kept = store.lastListed.withLock { $0 }
        if let kept, kept.path == directory, kept.next == after,
            try connection.statusFollowingLinks(directory) == kept.attributes
        {
            large = (kept.path, kept.attributes, kept.snapshot)
            return kept.snapshot
        }
        // Taken before the names: a change that comes while they are read shows at the next page.
        let question = try connection.send(.pathStatus) { $0.put(directory) }
        var snapshot = DirectorySnapshot()
        try read(directory) { (name, attributes) throws(ServiceFailure) in
            snapshot.add(name, isDirectory: attributes.isDirectory, sizeBytes: attributes.sizeBytes)
            return true
        }
        snapshot.sort()
        let attributes = try connection.attributes(question, directory)
        if snapshot.entries.count >= Self.keptCount, let attributes { large = (directory, attributes, snapshot) }
        return snapshot
    }

    /// Hands over what keys can name. A directory that is gone is empty.
    private func read(
        _ directory: String, _ take: ([UInt8], SFTPAttributes) throws(ServiceFailure) -> Bool
    ) throws(ServiceFailure) {
        do throws(ServiceFailure) {
            try connection.readDirectory(directory) { (name, attributes) throws(ServiceFailure) in
                if name.starts(with: FileKey.temporaryPrefix.utf8) { return true }
                var attributes = attributes
                if attributes.permissions == nil, let text = String(validating: name, as: UTF8.self) {
                    // Some servers do not tell the type along with the name.
                    attributes = try connection.status("\(directory)/\(text)") ?? attributes
                }
                guard attributes.isDirectory || attributes.isRegularFile else { return true }
                return try take(name, attributes)
            }
        } catch {
            // What every new file system has at its top, for root alone, is no part of the storage.
            let isOfSystem = error.code == .denied && directory == store.path(of: ["lost+found"])
            if error.code != .notFound, !isOfSystem { throw error }
        }
    }

    func sizeBytes(of name: String, in directory: String) throws(ServiceFailure) -> Int? {
        let attributes = try connection.status(directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)")
        return attributes?.isRegularFile == true ? attributes?.sizeBytes : nil
    }

    func peek(into directory: String) throws(ServiceFailure) -> (holdsObject: Bool, directories: [[UInt8]]) {
        var directories: [[UInt8]] = []
        var holdsObject = false
        try read(directory) { (name, attributes) throws(ServiceFailure) in
            if attributes.isDirectory { directories.append(name) } else { holdsObject = true }
            return !holdsObject
        }
        return (holdsObject, directories)
    }
}
