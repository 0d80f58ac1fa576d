public import ArgumentParser
public import CommandKit
import Glibc
import ObjectStorage
import ReplicationClient
import Safekeeper
import SystemPackage
import WALStore

/// `safekeeper init`: finds out whose WAL is to be kept, and holds it from now on.
public struct SafekeeperInitCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a safekeeper for one cluster.",
        discussion: """
            It connects to the primary, makes a replication slot there, so that no WAL is missed until start, and writes
            zenith.toml. The role needs REPLICATION; its password comes from PGPASSWORD or a password file.

            Examples:
              safekeeper init --wal-source 'host=db1 user=replicator' --storage-dest s3://backups/orders
              safekeeper init -D /srv/sk2 --name sk2 --wal-source service=orders --storage-dest /mnt/nas/orders
            """)

    @OptionGroup public var common: CommonOptions
    @OptionGroup public var walSource: WALSourceOptions
    @OptionGroup public var receiver: ReceiverOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var archive: ArchiveOptions
    @OptionGroup public var effort: EffortOptions
    @OptionGroup public var server: SafekeeperServerOptions

    public init() {}

    public func run() async throws {
        let installation = try SafekeeperInstallation(common, [walSource, receiver, storage, archive, effort, server])
        let directory = installation.directory
        guard access(directory.cluster.string, F_OK) != 0 else {
            throw CommandFailure(
                .outputExists, "\(directory.path) is a safekeeper's directory already",
                hint: "safekeeper start -D \(directory.path) starts it")
        }
        let source = try installation.source()
        let place = try await ArchivePlace.open(installation.configuration)
        let connection = try ReplicationConnection(source.connectionInfo, applicationName: source.name)
        let system = try connection.identifySystem()
        let identity = ClusterIdentity(
            systemIdentifier: system.identifier, segmentSize: try connection.walSegmentSize(),
            major: connection.serverVersion / 10_000)
        if let expected = place.systemIdentifier, expected != identity.systemIdentifier {
            throw CommandFailure(
                .failed,
                "\(place.store.location) holds the cluster with system identifier \(expected), and "
                    + "\(connection.address) is \(identity.systemIdentifier)",
                hint: "give each cluster a prefix of its own")
        }
        let version = try connection.show("server_version")
        do { try connection.createSlot(source.slot) } catch {
            guard error.isDuplicate else { throw error }
        }
        for path in [directory.path, directory.wal, directory.fetched] {
            try makeDirectory(path.string)
        }
        // What was given in the environment counts there; the options are kept.
        var values: [String: String] = [:]
        for entry in installation.configuration.entries {
            if case .option = entry.origin, let text = entry.text { values[entry.declaration.key] = text }
        }
        values[Settings.walSource.key] = source.connectionInfo
        values[Settings.storageDest.key] = try installation.configuration.required(Settings.storageDest).text
        try ConfigurationFile.write(values: values, directory: directory.path.string)
        try installation.write(
            SafekeeperInstallation.Cluster(
                identity: identity, serverVersion: version, serverVersionNumber: connection.serverVersion,
                archivePrefix: place.prefix))
        StandardOutput.line("initialized \(directory.path)")
        StandardOutput.line(
            "  primary   \(connection.address), PostgreSQL \(identity.major), system identifier "
                + "\(identity.systemIdentifier)")
        StandardOutput.line("  slot      \(source.slot)")
        StandardOutput.line("  storage   \(place.description)")
        StandardOutput.line(
            "next: safekeeper start; then synchronous_standby_names = '\(source.name)' on the primary makes each commit "
                + "wait for it")
    }

    /// With those above it.
    private func makeDirectory(_ path: String) throws {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try makeDirectory(String(path[..<slash]))
            if mkdir(path, 0o700) == 0 { return }
        }
        throw CommandFailure(.failed, "cannot make the directory \(path): \(String(cString: strerror(errno)))")
    }
}
