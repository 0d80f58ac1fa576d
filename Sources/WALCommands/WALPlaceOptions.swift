import ArgumentParser
import CommandKit
import PostgresFormat
import WALArchive

/// How much of WAL, and whose.
struct WALRangeOptions: SettingSource {
    @Option(help: ArgumentHelp("Begin with the first record at or behind this position.", valueName: "lsn"))
    var start: String?
    @Option(help: ArgumentHelp("End before the first record at or behind this position.", valueName: "lsn"))
    var end: String?
    @Option(
        help: ArgumentHelp(
            "PostgreSQL's timeline to follow (default: the highest that there is).", valueName: "number"))
    var tli: UInt32?
    @Option(name: .customLong(Settings.timeline.optionName), help: Settings.timeline.argumentHelp)
    var timeline: String?

    var settings: [(key: String, text: String?)] { [(Settings.timeline.key, timeline)] }

    func startLSN() throws(CommandFailure) -> LSN? { try position(start, "start") }
    func endLSN() throws(CommandFailure) -> LSN? { try position(end, "end") }

    private func position(_ text: String?, _ option: String) throws(CommandFailure) -> LSN? {
        guard let text else { return nil }
        guard let lsn = LSN(text) else {
            throw CommandFailure(.usage, "--\(option) \(text) is no LSN, such as 0/3000028")
        }
        return lsn
    }
}

/// Which WAL, and what of it.
struct WALPlaceOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("A directory with segments, a segment, or a storage.", valueName: "path"))
    var path: String
    @OptionGroup var range: WALRangeOptions
    @OptionGroup var common: CommonOptions
    @OptionGroup var filter: WALFilterOptions
    @OptionGroup var output: OutputOptions

    /// Finds the WAL, and where indexes tell which segments to pass.
    func open(_ wanted: WALFilter) async throws -> (walk: WALWalk, end: LSN?, passes: WALPassage?) {
        let (start, end) = (try range.startLSN(), try range.endLSN())
        let configuration = try Configuration.load(directory: common.directory, options: [common, range])
        let place = try await WALPlace.open(path, timeline: configuration.required(Settings.timeline))
        let walk = try await WALWalk(place.archive, timeline: range.tli, start: start, only: place.only)
        return (walk, end, try await place.passage(wanted))
    }
}

extension WALWalk.Stop {
    /// Says where WAL ends; throws where it is damaged.
    func report() throws(CommandFailure) {
        let place = lsn.map { "at \($0)" } ?? "before any record"
        if end.isDamage { throw CommandFailure(.badData, "\(file): WAL is damaged \(place): \(end)") }
        StandardError.line("WAL ends \(place), in \(file): \(end)")
    }
}
