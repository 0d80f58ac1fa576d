public import ObjectStorage
public import Snapshots

/// Writes a snapshot as a repository of its own, with that snapshot as its only one: for another place, or another
/// account.
public struct RepositoryExport: Sendable {
    private let snapshot: SnapshotReader
    private let identity: RepositoryIdentity
    private let progress: any WorkProgress

    /// - Parameter identity: Of the repository that the snapshot comes from.
    public init(_ snapshot: SnapshotReader, of identity: RepositoryIdentity, progress: any WorkProgress) {
        self.snapshot = snapshot
        self.identity = identity
        self.progress = progress
    }

    /// - Throws: `InterchangeError.exists` when something else is there. What an export of the same snapshot has left
    ///   that was cut short is completed.
    public func run(to store: any ObjectStore) async throws {
        let manifest = snapshot.manifest
        var own = identity
        own.claim = "export of \(manifest.name)"
        let writer: RepositoryWriter
        if try await store.isEmpty() {
            writer = try await RepositoryWriter.create(store, identity: own)
        } else {
            let existing = try? await Repository.open(store)
            guard let existing, existing.identity == own,
                try await existing.snapshots(manifest.identity.timeline).isEmpty
            else {
                throw InterchangeError.exists(
                    "\(store.location) is not empty: an export is written only to an empty or absent location")
            }
            writer = try await RepositoryWriter.open(store)
        }
        try await writer.createTimeline(TimelineInfo(id: manifest.identity.timeline, name: "main"))
        try await writer.copy(snapshot, progress: progress)
    }
}
