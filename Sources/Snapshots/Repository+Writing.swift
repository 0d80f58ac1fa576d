import FoundationEssentials
public import ObjectStorage
import PostgresFormat
import StorageURI
public import SystemPackage

/// A repository that is opened for writing.
public struct RepositoryWriter: Sendable {
    public let repository: Repository
    private let store: any ObjectStore
    private var location: String { repository.location }

    private init(_ store: any ObjectStore, _ repository: Repository) {
        self.store = store
        self.repository = repository
    }

    /// Opens what is there, as `Repository.open`.
    public static func open(_ store: any ObjectStore) async throws -> RepositoryWriter {
        RepositoryWriter(store, try await Repository.open(store))
    }

    /// Claims a prefix for a cluster. Of several that try, one wins.
    ///
    /// - Throws: `RepositoryError.taken` when another cluster, or another `init`, has it.
    public static func create(_ store: any ObjectStore, identity: RepositoryIdentity) async throws -> RepositoryWriter {
        let content = try encode(identity)
        do {
            try await store.put("zenith.json", .bytes(content), mode: .createOnly)
            return RepositoryWriter(store, Repository(store: store, identity: identity))
        } catch {
            guard error.code == .alreadyExists else { throw error }
            let existing = try await Repository.open(store)
            guard existing.identity == identity else {
                throw RepositoryError.taken(
                    "\(store.location) belongs to the cluster with system identifier "
                        + "\(existing.identity.systemIdentifier) already: give a cluster a prefix of its own")
            }
            return RepositoryWriter(store, existing)  // made by this very init, before it was cut short
        }
    }

    public func createTimeline(_ info: TimelineInfo) async throws {
        let content = try encode(info)
        do {
            try await store.put(ObjectKey("timelines/\(info.id)/timeline.json"), .bytes(content), mode: .createOnly)
        } catch { if error.code != .alreadyExists { throw error } }
    }

    /// Opens a timeline for writing: claims the next generation. From now on, an earlier writer finds a higher one
    /// and stops.
    public func claimGeneration(_ timeline: TimelineUUID, owner: String) async throws -> Int {
        while true {
            let next = try await highestGeneration(timeline) + 1
            do {
                try await store.put(
                    generationKey(timeline, next), .bytes(Array(owner.utf8)), mode: .createOnly)
                return next
            } catch { if error.code != .alreadyExists { throw error } }
        }
    }

    /// - Throws: `RepositoryError.superseded` when another writer has claimed a higher generation.
    public func checkGeneration(_ timeline: TimelineUUID, _ own: Int) async throws {
        let highest = try await highestGeneration(timeline)
        guard highest == own else {
            throw RepositoryError.superseded(
                "\(location): another pageserver has opened timeline \(timeline) for writing (generation \(highest), "
                    + "ours is \(own)); this one stops writing")
        }
    }

    private func highestGeneration(_ timeline: TimelineUUID) async throws -> Int {
        var highest = 0
        let prefix = "timelines/\(timeline)/generations/"
        for try await object in store.listAll(prefix: prefix) {
            // Only what a writer of ours can have claimed: the next number must be one too.
            let digits = object.key.text.utf8.dropFirst(prefix.utf8.count)
            guard digits.count <= 18, digits.allSatisfy({ (48...57).contains($0) }) else { continue }
            highest = max(highest, Int(String(decoding: digits, as: UTF8.self)) ?? 0)
        }
        return highest
    }

    private func generationKey(_ timeline: TimelineUUID, _ number: Int) -> ObjectKey {
        let digits = String(number)
        return ObjectKey(
            "timelines/\(timeline)/generations/" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits)
    }

    /// Puts a local snapshot into storage: the packs side by side, each only when it is not there yet, then the
    /// manifest, which makes the snapshot exist.
    ///
    /// - Parameter mayCommit: Called right before the manifest is put: the check of the generation.
    public func push(
        _ manifest: Manifest, from directory: FilePath, parallel: Int = 4, progress: any WorkProgress,
        mayCommit: @Sendable () async throws -> Void
    ) async throws {
        progress.expect(bytes: manifest.storedBytes)
        try await putPacks(of: manifest, parallel: parallel, progress) { pack, key in
            let path = directory.appending(pack.name)
            try await BlockingWork.run { _ in try checkPack(path, pack) }
            try await store.put(key, .file(path: path.string), mode: .overwrite)
        }
        try await mayCommit()
        try await commit(manifest)
    }

    /// Puts a snapshot of another repository into this one, read from wherever its reader finds it.
    public func copy(_ snapshot: SnapshotReader, parallel: Int = 4, progress: any WorkProgress) async throws {
        progress.expect(bytes: snapshot.manifest.storedBytes)
        try await putPacks(of: snapshot.manifest, parallel: parallel, progress) { pack, key in
            let pieces = PackPieces(pack, snapshot)
            let stream = AsyncThrowingStream<[UInt8], any Error>(unfolding: { try await pieces.next() })
            do { try await store.put(key, .stream(stream), mode: .overwrite) } catch let error as ObjectStoreError {
                // What is wrong with the source is no fault of the place that it goes to.
                if let damage = error.cause as? RepositoryError { throw damage }
                throw error
            }
        }
        try await commit(snapshot.manifest)
    }

    /// Calls `put` for each pack that is not there yet, for some side by side.
    private func putPacks(
        of manifest: Manifest, parallel: Int, _ progress: any WorkProgress,
        _ put: @escaping @Sendable (PackInfo, ObjectKey) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, pack) in manifest.packs.enumerated() {
                if index >= parallel { try await group.next() }
                group.addTask {
                    let key = Repository.key(manifest.name, pack.name)
                    // The name carries the digest of the content.
                    if try await size(of: key) != pack.sizeBytes { try await put(pack, key) }
                    progress.advance(bytes: pack.sizeBytes)
                }
            }
            try await group.waitForAll()
        }
    }

    private func size(of key: ObjectKey) async throws -> Int? {
        do { return try await store.head(key).sizeBytes } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    private func commit(_ manifest: Manifest) async throws {
        let name = manifest.name
        do {
            try await store.put(Repository.key(name, "manifest"), .bytes(manifest.encoded()), mode: .createOnly)
        } catch {
            guard error.code == .alreadyExists else { throw error }
            guard try await repository.manifest(name) == manifest else {
                throw RepositoryError.taken("\(location) has another snapshot named \(name)")
            }
        }
    }

    /// Removes a snapshot: the manifest first, so that no half of it looks whole.
    ///
    /// - Throws: `RepositoryError.needed` when a later snapshot builds on it.
    public func delete(_ name: SnapshotName) async throws {
        let all = try await repository.snapshots(name.timeline)
        guard all.contains(where: { $0.name == name }) else {
            throw RepositoryError.noSuchSnapshot("\(location) has no snapshot \(name)")
        }
        if let child = all.first(where: { !$0.name.isComplete && $0.name.startLSN == name.endLSN && $0.name != name }) {
            throw RepositoryError.needed("\(location): snapshot \(child.name) builds on \(name)")
        }
        try await store.delete([Repository.key(name, "manifest")])
        var keys: [ObjectKey] = []
        for try await object in store.listAll(prefix: "timelines/\(name.timeline)/snapshots/\(name)/") {
            keys.append(object.key)
        }
        try await store.delete(keys)
    }
}

func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
}
