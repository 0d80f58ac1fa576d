import CommandKit
import FoundationEssentials
import ObjectStorage
import PostgresFormat
import Safekeeper
import Snapshots
import SystemPackage
import WALStore

/// One safekeeper on this machine: its directory, its settings, and whose WAL it keeps.
struct SafekeeperInstallation {
    /// What `init` found out, and what does not change any more.
    struct Cluster: Codable {
        var formatVersion = 1
        let identity: ClusterIdentity
        /// As the primary showed it.
        let serverVersion: String
        let serverVersionNumber: Int
        /// Below `storage_dest`.
        let archivePrefix: String
        /// Where the primary's WAL ended then, and on which timeline; nil where it was not there, or an earlier version
        /// wrote this.
        var startLSN: String?
        var startTimeline: UInt32?

        var start: WALStore.Position? {
            guard let timeline = startTimeline, let lsn = startLSN.flatMap({ LSN($0) }) else { return nil }
            return WALStore.Position(timeline: timeline, flushed: lsn)
        }
    }

    let configuration: Configuration
    let directory: SafekeeperDirectory

    /// The daemon's name, for its pid file, its log and messages.
    static let daemonName = "safekeeper"

    init(_ common: CommonOptions, _ options: [any SettingSource] = []) throws {
        self.init(try Configuration.load(directory: common.directory, options: [common] + options))
    }

    /// - Parameter directory: Nil: where the configuration is.
    init(_ configuration: Configuration, directory: SafekeeperDirectory? = nil) {
        self.configuration = configuration
        self.directory = directory ?? SafekeeperDirectory(FilePath(configuration.directory))
    }

    var logFile: String {
        configuration[Settings.logFile]?.text ?? directory.path.appending("\(Self.daemonName).log").string
    }

    /// - Throws: `CommandFailure` when `init` has not been run here.
    func cluster() throws -> Cluster {
        let path = directory.cluster.string
        guard let content = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(
                .configuration, "\(directory.path) is not a safekeeper's directory: there is no \(path)",
                hint: "run safekeeper init -D \(directory.path) --wal-source CONNINFO --storage-dest STORAGE")
        }
        do { return try JSONDecoder().decode(Cluster.self, from: content) } catch {
            throw CommandFailure(.configuration, "\(path) cannot be read: \(error)")
        }
    }

    /// Notes whose WAL is kept here, and where it goes: from then on this is a safekeeper's directory.
    func write(_ primary: FoundPrimary, _ place: ArchivePlace) throws {
        let cluster = Cluster(
            identity: primary.identity, serverVersion: primary.version, serverVersionNumber: primary.versionNumber,
            archivePrefix: place.prefix, startLSN: primary.end.map { "\($0.flushed)" },
            startTimeline: primary.end?.timeline)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try writeDurably(Array(try encoder.encode(cluster)), to: directory.cluster)
    }

    func makeDirectories() throws {
        for path in [directory.wal, directory.fetched] { try Snapshots.makeDirectories(path) }
    }

    /// What the running daemon said last; nil where it has said nothing.
    func lastStatus() -> SafekeeperStatus? {
        FileManager.default.contents(atPath: directory.status.string).flatMap {
            try? JSONDecoder().decode(SafekeeperStatus.self, from: $0)
        }
    }

    /// The name that the primary knows, and the slot there.
    func source() throws -> WALReceiver.Source {
        let name = try configuration.required(Settings.name)
        return WALReceiver.Source(
            connectionInfo: try configuration.required(Settings.walSource).text, name: name,
            slot: configuration[Settings.slot] ?? name)
    }
}
