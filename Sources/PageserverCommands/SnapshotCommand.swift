public import ArgumentParser
public import CommandKit
import Glibc
import Interchange
import Logging
import ObjectStorage
import PageStore
import PostgresFormat
import Snapshots
import SystemPackage

/// `snapshot`: the snapshots of a repository.
public struct SnapshotCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "List, show, check, create and delete snapshots.",
        subcommands: [List.self, Show.self, Verify.self, Create.self, Delete.self])

    public init() {}
}

/// What the subcommands share: the repository and the timeline that they work on.
public struct RepositoryOptions: ParsableArguments {
    @OptionGroup public var common: CommonOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var timeline: TimelineOption

    public init() {}

    func open() async throws -> (installation: Installation, repository: Repository, timeline: TimelineUUID) {
        let installation = try Installation(common, [storage, timeline])
        let repository = try await Repository.open(ReadOnlyStore(try installation.openStorage()))
        let id = try await repository.timeline(installation.configuration[Settings.timeline])
        return (installation, repository, id)
    }
}

extension SnapshotCommand {
    public struct List: AsyncParsableCommand {
        public static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the snapshots, oldest first.",
            discussion: "One listing of the storage: nothing is read but names and sizes.")

        @OptionGroup public var options: RepositoryOptions
        @OptionGroup public var output: OutputOptions

        public init() {}

        private struct Row: Encodable {
            let name: String
            let kind: String
            let startLSN: String
            let endLSN: String
            let created: String
            let storedBytes: Int
            /// False for one that is on the local disk only, on its way to storage.
            let stored: Bool
        }

        public func run() async throws {
            let (installation, repository, timeline) = try await options.open()
            let all = try await installation.snapshots(repository, timeline)
            if output.json {
                try printJSON(
                    all.map { listing, isStored in
                        Row(
                            name: listing.name.description, kind: listing.name.kind,
                            startLSN: listing.name.startLSN.description, endLSN: listing.name.endLSN.description,
                            created: listing.name.created.description, storedBytes: listing.storedBytes,
                            stored: isStored)
                    })
                return
            }
            var table = Table(
                ("NAME", .left), ("KIND", .left), ("END LSN", .left), ("CREATED", .left), ("STORED", .right),
                ("WHERE", .left))
            for (listing, isStored) in all {
                table.add(
                    listing.name.description, listing.name.kind, listing.name.endLSN.description,
                    listing.name.created.description, describeBytes(listing.storedBytes),
                    isStored ? "storage" : "local disk")
            }
            table.print()
        }
    }

    public struct Show: AsyncParsableCommand {
        public static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show what a snapshot holds.")

        @OptionGroup public var options: RepositoryOptions
        @OptionGroup public var output: OutputOptions
        @Argument(help: ArgumentHelp("The snapshot, or LATEST.", valueName: "name")) public var name: String

        public init() {}

        private struct Details: Encodable {
            let name: String
            let kind: String
            let timeline: String
            let startLSN: String
            let endLSN: String
            let created: String
            let predecessor: String
            let label: String
            let systemIdentifier: String
            let postgresMajor: Int
            let tli: UInt32
            let walSegmentBytes: Int
            let dataChecksums: Bool
            let writer: String
            let relationForks: Int
            let pages: Int
            let files: Int
            let logicalBytes: Int
            let storedBytes: Int
            let packs: [String]
            let tablespaces: [String: String]
            let corruptPages: [String]
        }

        public func run() async throws {
            let (installation, repository, timeline) = try await options.open()
            let names = try await installation.snapshots(repository, timeline).map(\.listing.name)
            let found = try pickSnapshot(name, from: names, in: repository.location)
            let manifest = try await installation.manifest(found, in: repository)
            let identity = manifest.identity
            let details = Details(
                name: found.description, kind: found.kind, timeline: identity.timeline.description,
                startLSN: identity.startLSN.description, endLSN: identity.endLSN.description,
                created: identity.created.description, predecessor: identity.predecessor, label: identity.label,
                systemIdentifier: String(identity.systemIdentifier), postgresMajor: identity.postgresMajor,
                tli: identity.tli, walSegmentBytes: identity.walSegmentBytes, dataChecksums: identity.dataChecksums,
                writer: identity.writer, relationForks: manifest.forks.count, pages: manifest.pageCount,
                files: manifest.files.filter { $0.kind == .file }.count, logicalBytes: manifest.logicalBytes,
                storedBytes: manifest.storedBytes, packs: manifest.packs.map(\.name),
                tablespaces: Dictionary(
                    uniqueKeysWithValues: manifest.tablespaces.map { (String($0.oid), $0.location) }),
                corruptPages: manifest.corruptPages.map(\.description))
            if output.json { return try printJSON(details) }
            let rows: [(String, String)] = [
                ("name", details.name), ("kind", details.kind), ("end LSN", details.endLSN),
                ("created", details.created), ("label", details.label.isEmpty ? "-" : details.label),
                ("cluster", "PostgreSQL \(details.postgresMajor), system identifier \(details.systemIdentifier)"),
                ("checksums", details.dataChecksums ? "on" : "off"),
                ("content", "\(details.relationForks) relation forks, \(details.pages) pages, \(details.files) files"),
                (
                    "size",
                    "\(describeBytes(details.logicalBytes)), \(describeBytes(details.storedBytes)) in "
                        + "\(details.packs.count) packs"
                ),
                ("written by", details.writer),
            ]
            for (heading, value) in rows {
                StandardOutput.line(heading + String(repeating: " ", count: 12 - heading.utf8.count) + value)
            }
            for tablespace in manifest.tablespaces {
                StandardOutput.line(
                    "tablespace  \(tablespace.oid) from "
                        + (tablespace.location.isEmpty ? "the data directory" : tablespace.location))
            }
            for page in manifest.corruptPages { StandardOutput.line("corrupt     \(page)") }
        }
    }

    public struct Verify: AsyncParsableCommand {
        public static let configuration = CommandConfiguration(
            commandName: "verify", abstract: "Read a snapshot in storage whole, and check every byte of it.",
            discussion: "Without a name, all snapshots of the timeline. Exits with 65 when one is damaged.")

        @OptionGroup public var options: RepositoryOptions
        @OptionGroup public var output: OutputOptions
        @OptionGroup public var effort: EffortOptions
        @Argument(help: ArgumentHelp("The snapshot, or LATEST (default: all).", valueName: "name"))
        public var name: String?

        public init() {}

        private struct Result: Encodable {
            let name: String
            let sound: Bool
            let packs: Int
            let pages: Int
            let bytes: Int
            let faults: [String]
        }

        public func run() async throws {
            let (_, repository, timeline) = try await options.open()
            let installation = try Installation(options.common, [options.storage, options.timeline, effort])
            var names = try await repository.snapshots(timeline).map(\.name)
            if let name { names = [try pickSnapshot(name, from: names, in: repository.location)] }
            let pool = try installation.makePool()
            var results: [Result] = []
            for name in names {
                do {
                    let manifest = try await repository.manifest(name)
                    let bar = ProgressBar("verify")
                    let report = try await bar.during {
                        try await SnapshotVerification(manifest, in: repository).run(pool: pool, progress: bar)
                    }
                    results.append(
                        Result(
                            name: name.description, sound: report.faults.isEmpty, packs: report.packs,
                            pages: report.pages, bytes: report.bytes, faults: report.faults))
                } catch let error as RepositoryError {
                    results.append(
                        Result(
                            name: name.description, sound: false, packs: 0, pages: 0, bytes: 0, faults: ["\(error)"]))
                }
            }
            if output.json {
                try printJSON(results)
            } else {
                for result in results {
                    StandardOutput.line(
                        result.sound
                            ? "\(result.name) is sound: \(result.packs) packs, \(result.pages) pages, "
                                + describeBytes(result.bytes)
                            : "\(result.name) is DAMAGED")
                }
            }
            let damaged = results.filter { !$0.sound }
            guard damaged.isEmpty else {
                throw CommandFailure(
                    .badData, "\(damaged.count) of \(results.count) snapshots are damaged",
                    details: damaged.flatMap(\.faults))
            }
        }
    }

    public struct Create: AsyncParsableCommand {
        public static let configuration = CommandConfiguration(
            commandName: "create", abstract: "See to it that a snapshot of the present state is in storage.",
            discussion: """
                Prints its name when it is there. A running pageserver is waited for; without one, the push is done
                here.
                """)

        @OptionGroup public var options: RepositoryOptions
        @OptionGroup public var output: OutputOptions

        public init() {}

        private func report(_ name: SnapshotName) throws {
            if output.json { return try printJSON(["name": name.description]) }
            StandardOutput.line(name.description)
        }

        public func run() async throws {
            let installation = try Installation(options.common, [options.storage, options.timeline])
            try installation.requireInitialized()
            let directory = installation.directory.path.string
            let store = try installation.openStorage()
            guard PidFile.holder(directory: directory, name: Installation.daemonName) == nil else {
                return try await waitForDaemon(installation, store)
            }
            let lock = try PidFile(directory: directory, name: Installation.daemonName)
            defer { withExtendedLifetime(lock) {} }
            startLog(level: .warning)
            let pageserver = Pageserver(
                directory: installation.directory, store: store,
                timelineName: installation.configuration[Settings.timeline], owner: "\(hostName()) pid \(getpid())",
                pid: getpid(), logger: Logger(label: "snapshot create"))
            let started = try await pageserver.start()
            let bar = ProgressBar("push")
            try await bar.during { try await pageserver.push(started, progress: bar) }
            await pageserver.finish(error: nil)
            try report(started.latest)
        }

        /// The daemon pushes by itself; this only waits until it has.
        private func waitForDaemon(_ installation: Installation, _ store: any ObjectStore) async throws {
            let repository = try await Repository.open(ReadOnlyStore(store))
            let timeline = try await repository.timeline(installation.configuration[Settings.timeline])
            while true {
                let all = try await installation.snapshots(repository, timeline)
                if let newest = all.last, newest.isStored {
                    return try report(newest.listing.name)
                }
                guard
                    PidFile.holder(directory: installation.directory.path.string, name: Installation.daemonName) != nil
                else { throw CommandFailure(.temporary, "the pageserver ended before the snapshot was in storage") }
                if let error = PageserverStatus.read(installation.directory.status)?.lastError {
                    throw CommandFailure(.unavailable, "the pageserver cannot push: \(error)")
                }
                try await Task.sleep(for: .milliseconds(300))
            }
        }
    }

    public struct Delete: AsyncParsableCommand {
        public static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete a snapshot from storage, unless a later one builds on it.")

        @OptionGroup public var options: RepositoryOptions
        @OptionGroup public var output: OutputOptions
        @Argument(help: ArgumentHelp("The snapshot, by its whole name.", valueName: "name")) public var name: String

        public init() {}

        public func run() async throws {
            let (installation, repository, timeline) = try await options.open()
            guard let wanted = SnapshotName(name), wanted.timeline == timeline else {
                throw RepositoryError.noSuchSnapshot("\(repository.location) has no snapshot \(name)")
            }
            let writer = try await RepositoryWriter.open(try installation.openStorage())
            try await writer.delete(wanted)
            // The copy here would be pushed again.
            try installation.directory.snapshots.remove(wanted)
            if output.json { return try printJSON(["deleted": wanted.description]) }
            StandardOutput.line("deleted \(wanted)")
        }
    }
}

extension SnapshotName {
    var kind: String { isComplete ? "complete" : "incremental" }
}
