import CommandKit
import ObjectStorage
import Snapshots
import StorageURI
import WALArchive
import WALIndexes
import WALStore

/// The WAL archive that the settings lead to.
///
/// A repository keeps the WAL of each timeline below that timeline. A storage without a repository is taken for an
/// archive of WAL-G's, whose files lie in `wal_005/`.
struct ArchivePlace {
    enum Kind {
        case repository(timeline: String, id: TimelineUUID)
        case plain
    }
    let kind: Kind
    let store: any ObjectStore
    let prefix: String
    let systemIdentifier: UInt64?
    /// As the repository tells; nil where nothing does.
    let segmentSize: Int?
    let postgresMajor: Int?
    private let compression: WALCompression

    /// The place that was found before: nothing is asked of the storage.
    static func open(_ configuration: Configuration, prefix: String, of cluster: ClusterIdentity) throws -> ArchivePlace
    {
        ArchivePlace(
            kind: .plain, store: try Storages.open(configuration.required(Settings.storageDest).text, role: .wal),
            prefix: prefix, systemIdentifier: cluster.systemIdentifier, segmentSize: cluster.segmentSize,
            postgresMajor: cluster.major, compression: try compression(configuration))
    }

    private static func compression(_ configuration: Configuration) throws -> WALCompression {
        configuration[Settings.walCompression] == "lz4"
            ? .lz4 : .zstd(level: try configuration.required(Settings.compressionLevel))
    }

    static func open(_ configuration: Configuration) async throws -> ArchivePlace {
        let store = try Storages.open(configuration.required(Settings.storageDest).text, role: .wal)
        let compression = try compression(configuration)
        do {
            let repository = try await Repository.open(store)
            let name = try configuration.required(Settings.timeline)
            let id = try await repository.timeline(name)
            return ArchivePlace(
                kind: .repository(timeline: name, id: id), store: store, prefix: "timelines/\(id)/wal_005/",
                systemIdentifier: UInt64(repository.identity.systemIdentifier),
                segmentSize: repository.identity.walSegmentBytes, postgresMajor: repository.identity.postgresMajor,
                compression: compression)
        } catch RepositoryError.absent {
            return ArchivePlace(
                kind: .plain, store: store, prefix: "wal_005/", systemIdentifier: nil, segmentSize: nil,
                postgresMajor: nil, compression: compression)
        }
    }

    var reader: WALArchiveReader {
        WALArchiveReader(
            ReadOnlyStore(store), prefix: prefix, systemIdentifier: systemIdentifier, expected: compression.codec)
    }

    var writer: WALArchiveWriter {
        WALArchiveWriter(store, prefix: prefix, systemIdentifier: systemIdentifier, compression: compression)
    }

    /// Nil where there is no place beside the WAL.
    var indexes: WALIndexWriter? {
        WALIndexNames.prefix(besideWAL: prefix).map { WALIndexWriter(store, prefix: $0) }
    }

    var description: String { "\(store.location)/\(prefix)" }
}
