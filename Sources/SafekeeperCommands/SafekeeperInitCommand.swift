public import ArgumentParser
public import CommandKit
import Glibc
import Safekeeper
import SystemPackage
import WALStore

/// `safekeeper init`: finds out whose WAL is to be kept, and holds it from now on.
public struct SafekeeperInitCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a safekeeper for one cluster.",
        discussion: """
            It connects to the primary, makes a replication slot there, so that no WAL is missed until start, and \
            writes zenith.toml. The role needs REPLICATION; its password comes from PGPASSWORD or a password file.

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
        let primary = try FoundPrimary.find(source, expecting: place)
        try installation.makeDirectories()
        // What was given in the environment counts there; the options are kept.
        var values: [String: String] = [:]
        for entry in installation.configuration.entries {
            if case .option = entry.origin, let text = entry.text { values[entry.declaration.key] = text }
        }
        values[Settings.walSource.key] = source.connectionInfo
        values[Settings.storageDest.key] = try installation.configuration.required(Settings.storageDest).text
        try ConfigurationFile.write(values: values, directory: directory.path.string)
        try installation.write(primary, place)
        StandardOutput.line("initialized \(directory.path)")
        StandardOutput.line(
            "  primary   \(primary.address), PostgreSQL \(primary.identity.major), system identifier "
                + "\(primary.identity.systemIdentifier)")
        StandardOutput.line("  slot      \(source.slot)")
        StandardOutput.line("  storage   \(place.description)")
        StandardOutput.line(
            "next: safekeeper start; then synchronous_standby_names = '\(source.name)' on the primary makes each commit "
                + "wait for it")
    }
}
