public import ArgumentParser
public import StorageURI

/// Which part of an installation a program is about, as far as its configuration goes.
public protocol ConfiguredProgram: Sendable {
    /// Its options for what a daemon listens on.
    associatedtype Server: SettingSource
    /// The roles in which it uses `storage_dest`.
    static var storageRoles: [StorageRole] { get }
    /// Whether it calls PostgreSQL's programs.
    static var callsPostgres: Bool { get }
    /// Looks at what the program needs besides storages and PostgreSQL's programs.
    ///
    /// - Parameter isOffline: Nothing may be asked over a network.
    static func check(_ configuration: Configuration, isOffline: Bool, into report: inout CheckReport) async
}

extension ConfiguredProgram {
    public static func check(_ configuration: Configuration, isOffline: Bool, into report: inout CheckReport) async {}
}

/// `config check` and `config show`.
public struct ConfigCommand<Program: ConfiguredProgram>: ParsableCommand {
    public static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "config", abstract: "Check or show the configuration.",
            subcommands: [ConfigCheck<Program>.self, ConfigShow<Program>.self])
    }

    public init() {}
}

/// The options that both take: everything that can be configured, so that it can be tried before it is written down.
struct ConfigOptions<Program: ConfiguredProgram>: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var storage: StorageOptions
    @OptionGroup var walSource: WALSourceOptions
    @OptionGroup var ingest: IngestOptions
    @OptionGroup var receiver: ReceiverOptions
    @OptionGroup var postgres: PostgresOptions
    @OptionGroup var effort: EffortOptions
    @OptionGroup var wal: WALOptions
    @OptionGroup var server: Program.Server

    @Option(
        name: .customLong("snapshot-path"),
        help: ArgumentHelp("Storage that an import is to read, or an export to write.", valueName: "storage"))
    var snapshotPath: String?

    var sources: [any SettingSource] { [common, storage, walSource, ingest, receiver, postgres, effort, wal, server] }

    /// The storages to look at: how each is called, by which text, in which role.
    func storages(_ configuration: Configuration, roles: [StorageRole], environment: [String: String]) -> [NamedStorage]
    {
        var found: [NamedStorage] = []
        if let text = configuration[Settings.storageDest]?.text {
            let origin = configuration.entry(Settings.storageDest).origin
            for role in roles where role == roles[0] || Self.hasVariables(role, environment) {
                let name = role == roles[0] ? "storage_dest" : "storage_dest (WAL)"
                found.append(NamedStorage(name: name, text: text, origin: "\(origin)", role: role))
            }
        }
        if let snapshotPath {
            found.append(
                NamedStorage(
                    name: "snapshot_path", text: snapshotPath, origin: "option --snapshot-path", role: .snapshot))
        }
        return found
    }

    /// Whether the role has variables of its own, and so may see another storage than the one before it.
    private static func hasVariables(_ role: StorageRole, _ environment: [String: String]) -> Bool {
        environment.contains { $0.key.hasPrefix(role.rawValue) && !$0.value.isEmpty }
    }
}

/// A storage that is configured or given.
struct NamedStorage {
    let name: String
    let text: String
    let origin: String
    /// Nil: no role in particular.
    let role: StorageRole?
}
