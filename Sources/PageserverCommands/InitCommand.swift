public import ArgumentParser
public import CommandKit
import Glibc
import Interchange
import ObjectStorage
import PageStore
import PostgresFormat
import Snapshots
import StorageURI
import SystemPackage

/// `init`: makes an installation from a snapshot, from a new cluster, or from a repository that exists.
public struct InitCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make an installation: from a cluster, a new one, or a repository that exists.",
        discussion: """
            Without --snapshot-path a new, empty cluster is made with initdb; when the storage holds a repository \
            already, the installation attaches to that. The data lies in the local directory afterwards; start brings \
            it into storage.

            Examples:
              zenith init --storage-dest s3://backups/orders --snapshot-path /var/lib/postgresql/15/main \\
                          --snapshot-format pgdata
              zenith init --storage-dest file:///srv/zenith
              zenith init -D /srv/copy --storage-dest s3://backups/orders
            """)

    @OptionGroup public var common: CommonOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var source: SnapshotSourceOptions
    @OptionGroup public var postgres: PostgresOptions
    @OptionGroup public var walSource: WALSourceOptions
    @OptionGroup public var ingest: IngestOptions
    @OptionGroup public var effort: EffortOptions
    @OptionGroup public var server: ServerOptions
    @Flag(help: "Take pages that fail their checksum as they are, and record them in the manifest.")
    public var allowCorruptPages = false
    @Option(help: ArgumentHelp("Words to keep with the first snapshot.", valueName: "text"))
    public var label: String?

    public init() {}

    public var options: [any SettingSource] { [storage, postgres, walSource, ingest, effort, server] }

    public func run() async throws { try await initialize() }

    /// - Parameter further: Options of the program that are not the pageserver's, to be kept as well.
    public func initialize(_ further: [any SettingSource] = []) async throws {
        let installation = try Installation(common, options + further)
        try source.validateFormat()
        guard !installation.configuration.hasFile else {
            throw CommandFailure(
                .outputExists, "\(installation.directory.path) is initialized already",
                hint: "zenith start -D \(installation.directory.path) starts it")
        }
        let store = try installation.openStorage()
        try makeDirectories(installation.directory.path)
        let lock = try PidFile(directory: installation.directory.path.string, name: Installation.daemonName)
        defer { withExtendedLifetime(lock) {} }
        try await Initialization(
            installation: installation, store: store, source: source, allowCorruptPages: allowCorruptPages,
            label: label ?? ""
        ).run()
    }
}

/// What `init` does once the options are clear.
struct Initialization {
    let installation: Installation
    let store: any ObjectStore
    let source: SnapshotSourceOptions
    let allowCorruptPages: Bool
    let label: String

    func run() async throws {
        let claim = try ownClaim()
        var resumed: Manifest?
        do {
            let existing = try await Repository.open(store)
            if existing.identity.claim == claim {
                resumed = try resumeOwn()
            } else {
                guard source.snapshotPath == nil else {
                    throw CommandFailure(
                        .outputExists,
                        "\(store.location) holds a repository already, of the cluster with system identifier "
                            + existing.identity.systemIdentifier,
                        hint: "give the new cluster a prefix of its own, or leave out --snapshot-path to attach")
                }
                return try await attach(to: existing)
            }
        } catch RepositoryError.absent {}

        let manifest: Manifest
        do {
            if let resumed { manifest = resumed } else { manifest = try await bringIn() }
        } catch {
            leaveNothing()
            throw error
        }
        let identity = RepositoryIdentity(
            systemIdentifier: manifest.identity.systemIdentifier, postgresMajor: manifest.identity.postgresMajor,
            walSegmentBytes: manifest.identity.walSegmentBytes, claim: claim)
        let writer = try await RepositoryWriter.create(store, identity: identity)
        if !store.createsAtomically {
            StandardError.line(
                "\(programName): \(store.location) has no create-if-absent: keep to one pageserver on it, as two would "
                    + "not notice each other")
        }
        try await writer.createTimeline(TimelineInfo(id: manifest.identity.timeline, name: "main"))
        try writeConfiguration()
        StandardOutput.line("initialized \(installation.directory.path)")
        StandardOutput.line("  storage   \(store.location)")
        StandardOutput.line(
            "  cluster   PostgreSQL \(manifest.identity.postgresMajor), system identifier "
                + "\(manifest.identity.systemIdentifier)")
        StandardOutput.line("  snapshot  \(manifest.name)")
        StandardOutput.line(
            "  size      \(describeBytes(manifest.logicalBytes)), \(describeBytes(manifest.storedBytes)) packed")
        if !manifest.corruptPages.isEmpty {
            StandardError.line(
                "zenith: \(manifest.corruptPages.count) corrupt pages were taken as they are: "
                    + manifest.corruptPages.prefix(10).map(\.description).joined(separator: ", "))
        }
    }

    /// The snapshot of an `init` here that had claimed the storage already when it was cut short.
    private func resumeOwn() throws -> Manifest {
        let local = installation.directory.snapshots
        for timeline in try local.timelines() {
            if let name = try local.names(timeline).last { return try local.manifest(name) }
        }
        throw CommandFailure(
            .badData, "an init was cut short here after it had claimed \(store.location), and its data is gone",
            hint: "remove \(store.location)/zenith.json and run init again")
    }

    private func attach(to repository: Repository) async throws {
        let timeline = try await repository.timeline(installation.configuration[Settings.timeline])
        let latest = try await repository.snapshots(timeline).last
        try writeConfiguration()
        StandardOutput.line("attached \(installation.directory.path) to the repository at \(store.location)")
        StandardOutput.line(
            "  cluster   PostgreSQL \(repository.identity.postgresMajor), system identifier "
                + repository.identity.systemIdentifier)
        StandardOutput.line("  latest    \(latest.map { $0.name.description } ?? "no snapshot yet")")
    }

    /// After a failure that has claimed nothing yet: takes away what was begun, and the directory if nothing else is in it.
    private func leaveNothing() {
        let directory = installation.directory
        try? removeTree(directory.snapshots.root)
        unlink(directory.claim.string)
        unlink(directory.path.appending("\(Installation.daemonName).pid").string)
        rmdir(directory.path.string)
    }

    /// The claim of this `init`, or of the one here before it that was cut short.
    private func ownClaim() throws -> String {
        if let bytes = try? readFile(installation.directory.claim, limit: 100) {
            return String(decoding: bytes, as: UTF8.self)
        }
        let claim = TimelineUUID().description
        try writeDurably(Array(claim.utf8), to: installation.directory.claim)
        return claim
    }

    private func writeConfiguration() throws {
        // Only what was given here: a default or a variable may change, and shall count then.
        var values: [String: String] = [:]
        for entry in installation.configuration.entries {
            if case .option = entry.origin, let text = entry.text { values[entry.declaration.key] = text }
        }
        values[Settings.storageDest.key] = try installation.configuration.required(Settings.storageDest).text
        try ConfigurationFile.write(values: values, directory: installation.directory.path.string)
        unlink(installation.directory.claim.string)
    }

    /// The first snapshot, committed in the local directory.
    private func bringIn() async throws -> Manifest {
        guard let path = source.snapshotPath else {
            return try await withNewCluster { try await importDataDirectory(LocalDataDirectory(path: $0)) }
        }
        switch source.format ?? .zenith {
        case .pgdata:
            let location = try Storages.location(path, role: .snapshot)
            if location.scheme == .file {
                return try await importDataDirectory(LocalDataDirectory(path: FilePath(location.path)))
            }
            return try await importDataDirectory(
                ObjectDataDirectory(store: try Storages.openReadOnly(path, role: .snapshot)))
        case .zenith:
            return try await copySnapshot(from: try Storages.openReadOnly(path, role: .snapshot))
        case .basebackup, .walg:
            throw CommandFailure(.usage, "--snapshot-format \(source.snapshotFormat ?? "") is not supported yet")
        }
    }

    private func importDataDirectory(_ directory: some DataDirectorySource) async throws -> Manifest {
        var options = DataDirectoryImport.Options(timeline: TimelineUUID(), writer: "zenith \(zenithVersion)")
        options.label = label
        options.allowCorruptPages = allowCorruptPages
        options.compressionLevel = try installation.configuration.required(Settings.compressionLevel)
        let local = installation.directory.snapshots
        try removeTree(local.root)  // what an init that was cut short has left
        let staging = try local.stage(options.timeline)
        let bar = ProgressBar("import")
        let work = DataDirectoryImport(
            from: directory, options: options, pool: try installation.makePool(), progress: bar)
        let manifest = try await bar.during { try await work.run(into: staging) }
        try local.commit(manifest, staging: staging)
        return manifest
    }

    /// Takes a snapshot of another repository as the beginning of a timeline of our own.
    private func copySnapshot(from store: ReadOnlyStore) async throws -> Manifest {
        let repository = try await Repository.open(store)
        let timeline = try await repository.timeline(nil)
        let listing = try await repository.snapshots(timeline)
        let name = try pickSnapshot(source.snapshotName, from: listing.map(\.name), in: repository.location)
        var manifest = try await repository.manifest(name)
        manifest.identity.timeline = TimelineUUID()
        manifest.identity.predecessor = ""
        if !label.isEmpty { manifest.identity.label = label }
        let local = installation.directory.snapshots
        try removeTree(local.root)
        let staging = try local.stage(manifest.identity.timeline)
        let bar = ProgressBar("import")
        try await bar.during {
            try await repository.download(packsOf: name, manifest, into: staging, progress: bar)
        }
        try local.commit(manifest, staging: staging)
        return manifest
    }

    /// Makes a cluster with `initdb`, which goes when `body` has ended.
    private func withNewCluster(_ body: (FilePath) async throws -> Manifest) async throws -> Manifest {
        let programs = try PostgresPrograms(installation.configuration)
        let parent = installation.directory.path.appending("initdb")
        try removeTree(parent)
        try makeDirectories(parent)
        defer { try? removeTree(parent) }
        var data = parent
        if let identity = programs.identity {
            // The installation's directory is closed to others: the new cluster is made where they may go.
            var template = Array("/tmp/zenith-initdb-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
            data = FilePath(template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
            guard chown(data.string, identity.user, identity.group) == 0 else { throw Errno(rawValue: errno) }
        }
        defer { try? removeTree(data) }
        let cluster = data.appending("data")
        try await programs.run(
            "initdb",
            ["-D", cluster.string, "--data-checksums", "--auth-host=scram-sha-256", "--auth-local=peer", "--no-sync"])
        return try await body(cluster)
    }
}
