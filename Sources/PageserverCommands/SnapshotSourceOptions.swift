public import ArgumentParser
import CommandKit

/// How the files at `--snapshot-path` are packed.
enum SnapshotFormat: String, CaseIterable {
    case zenith, pgdata, basebackup, walg
}

/// Where one import reads from, or one export writes to.
public struct SnapshotSourceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Storage that this one import reads, or this one export writes; never saved. Its credentials may be given "
                + "in variables with the prefix SNAPSHOT_.", valueName: "storage"))
    public var snapshotPath: String?
    @Option(
        help: ArgumentHelp(
            "How the files there are packed: zenith, pgdata, basebackup or walg (default: zenith).", valueName: "format"
        ))
    public var snapshotFormat: String?
    @Option(help: ArgumentHelp("Which snapshot there to take (default: LATEST).", valueName: "name"))
    public var snapshotName: String?

    public init() {}

    var format: SnapshotFormat? { snapshotFormat.flatMap(SnapshotFormat.init(rawValue:)) }

    /// - Throws: `CommandFailure` with `.usage` for a format that there is not, or options without a path.
    func validateFormat() throws {
        if let snapshotFormat, format == nil {
            throw CommandFailure(
                .usage, "--snapshot-format \(snapshotFormat) is unknown",
                hint: "it is one of " + SnapshotFormat.allCases.map(\.rawValue).joined(separator: ", "))
        }
        if snapshotPath == nil, let extra = snapshotFormat.map({ _ in "format" }) ?? snapshotName.map({ _ in "name" }) {
            throw CommandFailure(.usage, "--snapshot-\(extra) says nothing without --snapshot-path")
        }
    }
}
