import FoundationEssentials
public import ObjectStorage
import PostgresFormat
import StorageURI
public import SystemPackage

/// What `zenith.json` says: whose repository it is. It claims the prefix for one cluster.
public struct RepositoryIdentity: Codable, Sendable, Equatable {
    public var formatVersion: Int
    /// Text, since it passes 2^53.
    public var systemIdentifier: String
    public var postgresMajor: Int
    public var walSegmentBytes: Int
    /// Random, of the `init` that made it: one that was cut short recognizes its own.
    public var claim: String

    public init(systemIdentifier: UInt64, postgresMajor: Int, walSegmentBytes: Int, claim: String) {
        formatVersion = 1
        self.systemIdentifier = String(systemIdentifier)
        self.postgresMajor = postgresMajor
        self.walSegmentBytes = walSegmentBytes
        self.claim = claim
    }
}

/// What `timeline.json` says.
public struct TimelineInfo: Codable, Sendable, Equatable {
    public var formatVersion = 1
    public var id: String
    public var name: String
    /// For a branch: the timeline it came from and the LSN where it left.
    public var parent: String?
    public var branchLSN: String?

    public init(id: TimelineUUID, name: String) {
        self.id = id.description
        self.name = name
    }
}

public enum RepositoryError: Error, Sendable, CustomStringConvertible {
    /// There is no `zenith.json`.
    case absent(String)
    /// The prefix belongs to another cluster.
    case taken(String)
    /// An object there does not read, or says something that this program does not know.
    case damaged(String)
    case noSuchSnapshot(String)
    case noSuchTimeline(String)
    /// Something else needs what was to be removed.
    case needed(String)
    /// Another pageserver has opened the timeline for writing since.
    case superseded(String)

    public var description: String {
        switch self {
        case .absent(let text), .taken(let text), .damaged(let text), .noSuchSnapshot(let text),
            .noSuchTimeline(let text), .needed(let text), .superseded(let text):
            text
        }
    }
}

/// The objects of one cluster below a storage prefix, as `docs/snapshot-format.md` lays them out.
public struct Repository: Sendable {
    public let store: any ReadableStore
    public let identity: RepositoryIdentity
    public var location: String { store.location.description }

    init(store: any ReadableStore, identity: RepositoryIdentity) {
        self.store = store
        self.identity = identity
    }

    /// Opens what is there.
    ///
    /// - Throws: `RepositoryError.absent` when nothing is, `.damaged` when it does not read.
    public static func open(_ store: any ReadableStore) async throws -> Repository {
        let bytes: [UInt8]
        do { bytes = try await store.get("zenith.json") } catch {
            guard error.code == .notFound else { throw error }
            throw RepositoryError.absent("\(store.location) holds no zenith repository: there is no zenith.json")
        }
        let identity: RepositoryIdentity = try decode(bytes, "\(store.location): zenith.json")
        guard identity.formatVersion <= 1 else {
            throw RepositoryError.damaged(
                "\(store.location): zenith.json has format version \(identity.formatVersion), this program reads 1: use "
                    + "a newer zenith")
        }
        return Repository(store: store, identity: identity)
    }

    /// All timelines, by id.
    public func timelines() async throws -> [TimelineInfo] {
        var found: [TimelineInfo] = []
        var after: ObjectKey?
        repeat {
            let page = try await store.list(prefix: "timelines/", delimiter: "/", after: after, limit: 1000)
            for prefix in page.commonPrefixes {
                let key = ObjectKey(prefix + "timeline.json")
                do {
                    let info: TimelineInfo = try decode(await store.get(key), "\(location): \(key)")
                    found.append(info)
                } catch let error as ObjectStoreError where error.code == .notFound { continue }  // a claim cut short
            }
            after = page.next
        } while after != nil
        return found
    }

    /// The timeline of that name or id; without one, the only timeline or the one named `main`.
    public func timeline(_ nameOrID: String?) async throws -> TimelineUUID {
        let all = try await timelines()
        let wanted = nameOrID ?? "main"
        let match = all.first { $0.name == wanted || $0.id == wanted }
        guard let match = match ?? (nameOrID == nil && all.count == 1 ? all[0] : nil) else {
            let known = all.map(\.name).sorted().joined(separator: ", ")
            throw RepositoryError.noSuchTimeline(
                "\(location) has no timeline \(wanted)" + (known.isEmpty ? "" : "; it has \(known)"))
        }
        guard let id = TimelineUUID(match.id) else {
            throw RepositoryError.damaged("\(location): timeline \(match.name) has an impossible id")
        }
        return id
    }

    /// Snapshots that are whole, in order of LSN and creation, with what their packs take. One listing.
    public func snapshots(_ timeline: TimelineUUID) async throws -> [SnapshotListing] {
        let prefix = "timelines/\(timeline)/snapshots/"
        var found: [String: SnapshotListing] = [:]
        for try await object in store.listAll(prefix: prefix) {
            let parts = object.key.text.dropFirst(prefix.utf8.count).split(separator: "/")
            guard parts.count == 2, let name = SnapshotName(parts[0]), name.timeline == timeline else { continue }
            var entry = found[String(parts[0])] ?? SnapshotListing(name: name)
            entry.storedBytes += object.sizeBytes
            if parts[1] == "manifest" { entry.hasManifest = true }
            found[String(parts[0])] = entry
        }
        return found.values.filter(\.hasManifest).sorted { SnapshotName.precedes($0.name, $1.name) }
    }

    public func manifest(_ name: SnapshotName) async throws -> Manifest {
        let key = Self.key(name, "manifest")
        let bytes: [UInt8]
        do { bytes = try await store.get(key) } catch {
            guard error.code == .notFound else { throw error }
            throw RepositoryError.noSuchSnapshot("\(location) has no snapshot \(name)")
        }
        do {
            let manifest = try Manifest(decoding: bytes)
            guard manifest.name == name else { throw SnapshotFormatError("it is the manifest of \(manifest.name)") }
            return manifest
        } catch { throw RepositoryError.damaged("\(location): \(key): \(error)") }
    }

    /// Copies a snapshot's packs into a local directory, each checked against its digest.
    public func download(
        packsOf name: SnapshotName, _ manifest: Manifest, into directory: FilePath, progress: any WorkProgress
    ) async throws {
        progress.expect(bytes: manifest.storedBytes)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, pack) in manifest.packs.enumerated() {
                if index >= 4 { try await group.next() }
                group.addTask {
                    let path = directory.appending(pack.name)
                    let descriptor = try FileDescriptor.open(
                        path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
                    defer { try? descriptor.close() }
                    let piece = 8 << 20
                    for offset in stride(from: 0, to: pack.sizeBytes, by: piece) {
                        let bytes = try await store.get(Self.key(name, pack.name), range: offset..<offset + piece)
                        _ = try await BlockingWork.run { _ in try descriptor.writeAll(bytes) }
                        progress.advance(bytes: bytes.count)
                        if bytes.count < piece { break }  // its end, whatever the manifest says; the check below tells
                    }
                    try await BlockingWork.run { _ in
                        try descriptor.synchronize()
                        do { try checkPack(path, pack) } catch {
                            throw RepositoryError.damaged("\(location): \(Self.key(name, pack.name)) is damaged")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    static func key(_ name: SnapshotName, _ object: String) -> ObjectKey {
        ObjectKey("timelines/\(name.timeline)/snapshots/\(name)/\(object)")
    }
}

/// A snapshot as a listing shows it.
public struct SnapshotListing: Sendable {
    public let name: SnapshotName
    public var storedBytes: Int
    var hasManifest = false

    public init(name: SnapshotName, storedBytes: Int = 0) {
        self.name = name
        self.storedBytes = storedBytes
    }
}

func decode<T: Decodable>(_ bytes: [UInt8], _ what: String) throws -> T {
    do { return try JSONDecoder().decode(T.self, from: Data(bytes)) } catch {
        throw RepositoryError.damaged("\(what) does not read: \(error)")
    }
}
