public import ArgumentParser
public import CommandKit
import ObjectStorage
import PostgresFormat
import Snapshots
import StorageURI
import WALArchive

/// `wal-show`: what the archive holds.
public struct WALShowCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "wal-show", abstract: "Show the WAL in storage: segments by TLI, and the gaps between them.",
        discussion: """
            Example:
              safekeeper wal-show --storage-dest s3://bucket/prefix
            """)

    @OptionGroup public var common: CommonOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var archive: ArchiveOptions
    @OptionGroup public var output: OutputOptions

    public init() {}

    private struct Report: Encodable {
        struct Gap: Encodable {
            let first: String
            let last: String
            let segments: Int
        }
        struct Timeline: Encodable {
            let tli: UInt32
            let first: String?
            let last: String?
            let startLSN: String?
            let endLSN: String?
            let segments: Int
            let missing: Int
            let gaps: [Gap]
            let partials: [String]
            let hasHistory: Bool
            let backups: Int
            let storedBytes: Int
        }
        let storage: String
        let prefix: String
        /// `repository` or `walg`.
        let layout: String
        let timeline: String?
        let timelineID: String?
        let systemIdentifier: String?
        let segmentBytes: Int?
        let segments: Int
        let missing: Int
        let storedBytes: Int
        let timelines: [Timeline]
        /// Keys.
        let unreadable: [String]
    }

    public func run() async throws {
        let configuration = try Configuration.load(directory: common.directory, options: [common, storage, archive])
        let place = try await ArchivePlace.open(configuration)
        let size = if let known = place.segmentSize { known } else { try await place.reader.segmentSize() }
        let report = report(place, try await place.reader.inventory(segmentSize: size))
        if output.json { try printJSON(report) } else { describe(report) }
    }

    private func report(_ place: ArchivePlace, _ inventory: WALInventory) -> Report {
        let timelines = inventory.timelines.map { timeline in
            Report.Timeline(
                tli: timeline.timeline, first: timeline.first?.fileName, last: timeline.last?.fileName,
                startLSN: timeline.first?.startLSN.description, endLSN: timeline.last?.endLSN.description,
                segments: timeline.segmentCount, missing: timeline.gaps.reduce(0) { $0 + $1.count },
                gaps: timeline.gaps.map {
                    Report.Gap(first: $0.first.fileName, last: $0.last.fileName, segments: $0.count)
                }, partials: timeline.partials.map(\.text), hasHistory: timeline.hasHistory,
                backups: timeline.backupCount, storedBytes: timeline.storedBytes)
        }
        var layout = "walg"
        var (name, id): (String?, String?)
        if case .repository(let timeline, let uuid) = place.kind {
            (layout, name, id) = ("repository", timeline, uuid.description)
        }
        return Report(
            storage: place.store.location.description, prefix: place.prefix, layout: layout, timeline: name,
            timelineID: id, systemIdentifier: place.systemIdentifier.map { String($0) },
            segmentBytes: inventory.segmentSize, segments: timelines.reduce(0) { $0 + $1.segments },
            missing: timelines.reduce(0) { $0 + $1.missing }, storedBytes: timelines.reduce(0) { $0 + $1.storedBytes },
            timelines: timelines, unreadable: inventory.unreadable.map(\.text))
    }

    private func describe(_ report: Report) {
        let layout =
            report.timeline.map { "repository, timeline \($0)" } ?? "no repository: WAL-G's layout, wal_005/"
        StandardOutput.line("archive   \(report.storage)/\(report.prefix) (\(layout))")
        if let identifier = report.systemIdentifier { StandardOutput.line("cluster   \(identifier)") }
        StandardOutput.line(
            "segments  \(report.segments) of \(report.segmentBytes.map(describeBytes) ?? "unknown size"), "
                + "\(describeBytes(report.storedBytes)) stored, \(report.missing) missing")
        guard !report.timelines.isEmpty else { return }
        var table = Table(
            ("TLI", .right), ("FIRST", .left), ("LAST", .left), ("SEGMENTS", .right), ("MISSING", .right),
            ("STORED", .right), ("END LSN", .left), ("HISTORY", .left))
        for timeline in report.timelines {
            table.add(
                "\(timeline.tli)", timeline.first ?? "-", timeline.last ?? "-", "\(timeline.segments)",
                "\(timeline.missing)", describeBytes(timeline.storedBytes), timeline.endLSN ?? "-",
                timeline.tli == 1 ? "-" : timeline.hasHistory ? "yes" : "missing")
        }
        table.print()
        for timeline in report.timelines {
            for gap in timeline.gaps {
                let range = gap.segments == 1 ? gap.first : "\(gap.first) to \(gap.last) (\(gap.segments) segments)"
                StandardOutput.line("gap in TLI \(timeline.tli): \(range)")
            }
            for partial in timeline.partials { StandardOutput.line("partial in TLI \(timeline.tli): \(partial)") }
        }
        for key in report.unreadable { StandardOutput.line("cannot be read: \(key)") }
    }
}
