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
}

extension SnapshotName {
    var kind: String { isComplete ? "complete" : "incremental" }
}
