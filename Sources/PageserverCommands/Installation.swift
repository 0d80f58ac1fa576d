import CommandKit
import Interchange
import ObjectStorage
import PageStore
import Snapshots
import StorageURI
import SystemPackage

/// One installation on this machine: its directory, its settings, and what they lead to.
struct Installation {
    let configuration: Configuration
    let directory: PageserverDirectory

    init(_ common: CommonOptions, _ options: [any SettingSource] = []) throws {
        configuration = try Configuration.load(directory: common.directory, options: [common] + options)
        directory = PageserverDirectory(FilePath(common.directory))
    }

    /// The daemon's name, for its pid file, its log and messages.
    static let daemonName = "pageserver"

    /// - Throws: `CommandFailure` when `init` has not been run here.
    func requireInitialized() throws {
        guard configuration.hasFile else {
            throw CommandFailure(
                .configuration, "\(directory.path) is not initialized: there is no \(Configuration.fileName)",
                hint: "run zenith init -D \(directory.path) --storage-dest STORAGE")
        }
    }

    func openStorage() throws -> any ObjectStore {
        try Storages.open(configuration.required(Settings.storageDest).text, role: .storage)
    }

    var logFile: String {
        configuration[Settings.logFile]?.text ?? directory.path.appending("\(Self.daemonName).log").string
    }

    func makePool() throws -> WorkerPool { WorkerPool(width: try configuration.required(Settings.workers)) }

    /// A reader of a snapshot: what is sound in the local directory is read there, the rest in storage.
    func reader(of manifest: Manifest, in repository: Repository) throws -> SnapshotReader {
        let local = directory.snapshots.directory(of: manifest.name)
        // A storage on this machine's disks needs no second copy on them.
        let limit = try configuration.required(Settings.cacheSize).bytes
        let cache =
            repository.store.location.scheme == .file || !configuration.hasFile
            ? nil : FrameCache(root: directory.snapshots.root, limitBytes: limit)
        return SnapshotReader(manifest: manifest, local: local, repository: repository, cache: cache)
    }

    /// The manifest, from the local copy where that is sound.
    func manifest(_ name: SnapshotName, in repository: Repository) async throws -> Manifest {
        if let local = try? directory.snapshots.manifest(name) { return local }
        return try await repository.manifest(name)
    }

    /// Snapshots in storage and those that are only here, in order; with what they take.
    func snapshots(_ repository: Repository, _ timeline: TimelineUUID) async throws -> [(
        listing: SnapshotListing, isStored: Bool
    )] {
        let stored = try await repository.snapshots(timeline)
        var all = stored.map { (listing: $0, isStored: true) }
        for name in try directory.snapshots.unpushed(timeline) where !stored.contains(where: { $0.name == name }) {
            let storedBytes = (try? directory.snapshots.manifest(name).storedBytes) ?? 0
            all.append((SnapshotListing(name: name, storedBytes: storedBytes), false))
        }
        return all.sorted { SnapshotName.precedes($0.listing.name, $1.listing.name) }
    }
}
