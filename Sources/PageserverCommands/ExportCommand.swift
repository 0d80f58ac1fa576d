public import ArgumentParser
public import CommandKit
import Interchange
import ObjectStorage
import PageStore
import PostgresFormat
import Snapshots
import StorageURI
import SystemPackage

/// `export`: writes the cluster as of a snapshot.
public struct ExportCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the cluster as of a snapshot: a data directory, or a repository.",
        discussion: """
            With --snapshot-format pgdata and a local path, the result is a data directory that pg_ctl start accepts \
            as it is. It is written only to an empty or absent place, and looks whole only when it is.

            Examples:
              zenith export --snapshot-path /srv/restored --snapshot-format pgdata
              zenith export --snapshot-path s3://elsewhere/orders
            """)

    @OptionGroup public var common: CommonOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var target: SnapshotSourceOptions
    @Option(help: ArgumentHelp("The snapshot to export (default: the newest).", valueName: "name"))
    public var snapshot: String?
    @Option(help: ArgumentHelp("The cluster as of this LSN; there must be a snapshot of it.", valueName: "lsn"))
    public var lsn: String?
    @Option(help: ArgumentHelp("The cluster as of this time.", valueName: "timestamp"))
    public var time: String?
    @Option(
        help: ArgumentHelp(
            "Put the tablespace that was at OLD (a directory, or its OID) at NEW. Without it, a tablespace goes below "
                + "the export itself, to tablespaces/<OID>.", valueName: "old=new"))
    public var tablespaceMapping: [String] = []
    @OptionGroup public var timeline: TimelineOption
    @OptionGroup public var postgres: PostgresOptions
    @OptionGroup public var effort: EffortOptions

    public init() {}

    public func run() async throws {
        try target.validateFormat()
        guard let path = target.snapshotPath else {
            throw CommandFailure(.usage, "--snapshot-path is missing", hint: "it names the place to write to")
        }
        guard [snapshot, lsn, time].compactMap({ $0 }).count <= 1 else {
            throw CommandFailure(.usage, "give one of --snapshot, --lsn and --time")
        }
        let mapping = try parseMapping()
        let installation = try Installation(common, [storage, postgres, effort, timeline])
        let store = try installation.openStorage()
        let repository = try await Repository.open(ReadOnlyStore(store))
        let timeline = try await repository.timeline(installation.configuration[Settings.timeline])
        let names = try await installation.snapshots(repository, timeline).map(\.listing.name)
        let name = try choose(from: names, repository)
        let manifest = try await installation.manifest(name, in: repository)
        let reader = try installation.reader(of: manifest, in: repository)
        let location = try Storages.location(path, role: .snapshot)
        let format = target.format ?? .zenith
        guard mapping.isEmpty || (format == .pgdata && location.scheme == .file) else {
            throw CommandFailure(.usage, "--tablespace-mapping is for an export of pgdata to a local path")
        }
        let bar = ProgressBar("export")
        try await bar.during {
            switch format {
            case .pgdata where location.scheme == .file:
                var options = LocalExport.Options()
                options.tablespaceMapping = mapping
                if UserIdentity.isRoot {
                    let owner = try UserIdentity(named: installation.configuration.required(Settings.pgUser))
                    options.owner = (owner.user, owner.group)
                }
                try await LocalExport(reader, options: options, pool: installation.makePool(), progress: bar)
                    .run(to: FilePath(location.path))
            case .pgdata:
                try await ObjectExport(
                    reader, parallel: installation.configuration.required(Settings.workers) * 2, progress: bar
                ).run(to: Storages.open(path, role: .snapshot))
            case .zenith:
                try await RepositoryExport(reader, of: repository.identity, progress: bar)
                    .run(to: Storages.open(path, role: .snapshot))
            case .basebackup, .walg:
                throw CommandFailure(.usage, "--snapshot-format \(format.rawValue) is not supported yet")
            }
        }
        if let problem = reader.cacheProblem { StandardError.line("zenith: warning: \(problem)") }
        StandardOutput.line("exported \(name) to \(location)")
        let generated = format == .pgdata ? ExportLayout(manifest).generatedFiles.map(\.path) : []
        if !generated.isEmpty {
            StandardOutput.line(
                "  the imported data directory had no \(generated.joined(separator: ", ")) (Debian keeps them in "
                    + "/etc/postgresql): minimal ones were written")
        }
        if format == .pgdata, location.scheme == .file {
            StandardOutput.line("  start it with: pg_ctl -D \(location.path) start")
        }
    }

    private func parseMapping() throws -> [String: String] {
        var mapping: [String: String] = [:]
        for text in tablespaceMapping {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, parts[1].hasPrefix("/") else {
                throw CommandFailure(
                    .usage, "--tablespace-mapping \(text) is not OLD=NEW", hint: "NEW is an absolute path")
            }
            guard mapping.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw CommandFailure(.usage, "--tablespace-mapping names \(parts[0]) twice")
            }
        }
        return mapping
    }

    private func choose(from names: [SnapshotName], _ repository: Repository) throws -> SnapshotName {
        guard lsn != nil || time != nil else { return try pickSnapshot(snapshot, from: names, in: repository.location) }
        let newest = try pickSnapshot(nil, from: names, in: repository.location)
        if let lsn {
            guard let wanted = LSN(lsn) else {
                throw CommandFailure(.usage, "--lsn \(lsn) is not an LSN like 0/156A8D8")
            }
            if let found = names.last(where: { $0.endLSN == wanted }) { return found }
            throw CommandFailure(
                .failed, "\(repository.location) has no snapshot at LSN \(wanted); the newest is at \(newest.endLSN)",
                hint: "positions between snapshots need WAL, which this version does not receive yet")
        }
        throw CommandFailure(
            .failed, "--time needs WAL, which this version does not receive yet",
            hint: "name a snapshot with --snapshot; zenith snapshot list shows them")
    }
}

/// `--timeline`.
public struct TimelineOption: SettingSource {
    @Option(name: .customLong(Settings.timeline.optionName), help: Settings.timeline.argumentHelp)
    public var timeline: String?

    public init() {}
    public var settings: [(key: String, text: String?)] { [(Settings.timeline.key, timeline)] }
}
