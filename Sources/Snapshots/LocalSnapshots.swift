import Glibc
import PostgresFormat
public import SystemPackage

/// Snapshots in a local directory, laid out as in storage: `<timeline>/snapshots/<name>/{pack-…,manifest}`.
///
/// A directory that is being filled has the name `staging`; it gets the snapshot's name when all of it is on disk.
/// Packs may also be here in part, as a cache of what lies in storage.
public struct LocalSnapshots: Sendable {
    public let root: FilePath

    public init(root: FilePath) { self.root = root }

    func snapshotsDirectory(_ timeline: TimelineUUID) -> FilePath {
        root.appending(timeline.description).appending("snapshots")
    }

    public func directory(of name: SnapshotName) -> FilePath {
        snapshotsDirectory(name.timeline).appending(name.description)
    }

    /// An empty directory to write packs into. What an earlier run left there is gone.
    public func stage(_ timeline: TimelineUUID) throws -> FilePath {
        let path = snapshotsDirectory(timeline).appending("staging")
        try removeTree(path)
        try makeDirectories(path)
        return path
    }

    /// Writes the manifest beside the packs of `staging`, and gives the whole its name.
    public func commit(_ manifest: Manifest, staging: FilePath) throws {
        try writeDurably(manifest.encoded(), to: staging.appending("manifest"))
        try synchronizeDirectory(staging)
        let target = directory(of: manifest.name)
        try removeTree(target)  // a copy that was found damaged, or a part of one
        try rename(staging, to: target)
        try synchronizeDirectory(target.removingLastComponent())
    }

    /// The timelines that have a directory here.
    public func timelines() throws -> [TimelineUUID] {
        try directoryEntries(root).compactMap { TimelineUUID($0) }
    }

    /// The names of the snapshots that have a manifest here, oldest first. Whether it is sound shows when it is read.
    public func names(_ timeline: TimelineUUID) throws -> [SnapshotName] {
        try directoryEntries(snapshotsDirectory(timeline)).compactMap { SnapshotName($0) }
            .filter { access(directory(of: $0).appending("manifest").string, F_OK) == 0 }
            .sorted(by: SnapshotName.precedes)
    }

    /// Snapshots that have not been brought into storage from here.
    public func unpushed(_ timeline: TimelineUUID) throws -> [SnapshotName] {
        try names(timeline).filter { access(pushedMark($0).string, F_OK) != 0 }
    }

    /// Notes that a snapshot has been in storage: should it be missing there one day, it was deleted.
    public func markPushed(_ name: SnapshotName) throws { try writeDurably([], to: pushedMark(name)) }

    private func pushedMark(_ name: SnapshotName) -> FilePath { directory(of: name).appending("pushed") }

    /// The manifest of a local snapshot; throws when it is missing or damaged.
    public func manifest(_ name: SnapshotName) throws -> Manifest {
        let path = directory(of: name).appending("manifest")
        let manifest = try Manifest(decoding: readFile(path))
        guard manifest.name == name else { throw SnapshotFormatError("\(path) is the manifest of \(manifest.name)") }
        return manifest
    }

    public func remove(_ name: SnapshotName) throws {
        let path = directory(of: name)
        // The manifest goes first, so that no part of it looks whole.
        _ = unlink(path.appending("manifest").string)
        try removeTree(path)
    }
}
