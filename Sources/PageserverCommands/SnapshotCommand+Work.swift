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

// The subcommands that read a snapshot whole, or change what is in storage.

extension SnapshotCommand {
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
                Prints its name when it is there. A running pageserver is waited for; without one, the push is done \
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
