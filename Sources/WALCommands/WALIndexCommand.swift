import ArgumentParser
import CommandKit
import ObjectStorage
import PostgresFormat
import StorageURI
import WALArchive
import WALIndexes
import WALRedo

/// `wal index`: the page indexes of segments, beside them.
struct WALIndexCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "Make the page indexes of WAL segments that are missing or damaged.",
        discussion: """
            A page index tells which pages a segment's records are about. It lies beside the segments, in wal_index_001/ \
            for wal_005/, and is made of nothing but the segment. A segment whose last record is not whole there has to \
            wait for more WAL. Exits with 65 where a segment is damaged; the others get their indexes all the same.

            With --check nothing is written. It exits with 0 where all are there, with 65 where one is damaged, and with \
            1 where one is missing.

            Examples:
              zenith wal index s3://backups/orders
              zenith wal index /srv/safekeeper/wal --check --json
            """)

    @Argument(help: ArgumentHelp("A directory with segments, or a storage.", valueName: "path"))
    var path: String
    @Flag(help: "Say what is missing or damaged, and write nothing.")
    var check = false
    @OptionGroup var timeline: WALTimelineOptions
    @OptionGroup var common: CommonOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let configuration = try Configuration.load(directory: common.directory, options: [common, timeline])
        let place = try await WALPlace.open(path, timeline: configuration.required(Settings.timeline))
        guard let indexes = place.indexes else {
            throw CommandFailure(
                .usage, "\(path) has no place for page indexes",
                hint: "name a storage, or a directory of segments that is not a cluster's")
        }
        let writer = WALIndexWriter(try Storages.open(indexes.location, role: .wal), prefix: indexes.prefix)
        let walk = try await WALWalk(place.archive)
        let work = WALIndexing(
            maker: WALIndexMaker(place.archive, chain: walk.chain, major: walk.major), writer: writer, onlyChecks: check
        )
        let segments = try await segments(place.archive, walk.chain.segmentSize)
        var report = WALIndexReport(place: writer.reader.description, segments: segments.count)
        let bar = ProgressBar("indexes")
        bar.expect(bytes: segments.count * walk.chain.segmentSize)
        try await bar.during {
            for (segment, next) in zip(segments, segments.dropFirst().map(Optional.some) + [nil]) {
                try await work.take(segment, isLast: next != segment.next, &report)
                bar.advance(bytes: segment.size)
            }
        }
        if output.json { try printJSON(report) } else { report.print() }
        try report.judge(onlyChecks: check)
    }

    /// Those that lie there whole, in order.
    private func segments(_ archive: WALArchiveReader, _ size: Int) async throws -> [WALSegment] {
        var segments: [WALSegment] = []
        try await archive.forEachObject { object in
            guard object.name.kind == .segment, case .readable = object.packing,
                let segment = object.name.segment(size: size), segment != segments.last
            else { return }
            segments.append(segment)
        }
        return segments
    }
}

/// Which timeline of a repository.
struct WALTimelineOptions: SettingSource {
    @Option(name: .customLong(Settings.timeline.optionName), help: Settings.timeline.argumentHelp)
    var timeline: String?

    var settings: [(key: String, text: String?)] { [(Settings.timeline.key, timeline)] }
}

/// Looks after the index of one segment at a time.
private struct WALIndexing {
    let maker: WALIndexMaker
    let writer: WALIndexWriter
    let onlyChecks: Bool

    /// - Parameter isLast: The segment that follows is not there.
    func take(_ segment: WALSegment, isLast: Bool, _ report: inout WALIndexReport) async throws {
        var damage: String?
        switch try await writer.reader.find(segment) {
        case .sound:
            report.sound += 1
            return
        case .missing: break
        case .damaged(let reason): damage = reason
        }
        let index: WALPageIndex?
        do {
            // Whether the last one can have any is told by its WAL alone.
            let isLeft = onlyChecks && !isLast
            index = isLeft ? nil : try await maker.index(of: segment)
            if index == nil, !isLeft, damage == nil {
                report.unfinished += 1
                return
            }
        } catch let error as ObjectStoreError { throw error } catch let error as CancellationError {
            throw error
        } catch {
            // What is being written ends somewhere.
            if isLast, damage == nil { report.unfinished += 1 } else { report.note(segment, wal: "\(error)") }
            return
        }
        if let damage { report.note(segment, index: damage) } else { report.missing += 1 }
        guard !onlyChecks, let index else { return }
        try await writer.put(index)
        report.made += 1
    }
}

/// What `wal index` prints.
struct WALIndexReport: Encodable {
    struct Fault: Encodable {
        let segment: String
        /// `index` or `wal`: what is damaged.
        let damaged: String
        let reason: String
    }
    let place: String
    let segments: Int
    /// As they were found: with an index, without, with one that is damaged; and those that wait for more WAL.
    var sound = 0
    var missing = 0
    var damaged = 0
    var unfinished = 0
    var made = 0
    /// Segments whose WAL is damaged.
    var failed = 0
    private(set) var faults: [Fault] = []

    init(place: String, segments: Int) {
        self.place = place
        self.segments = segments
    }

    mutating func note(_ segment: WALSegment, index reason: String) {
        damaged += 1
        faults.append(Fault(segment: segment.fileName, damaged: "index", reason: reason))
    }

    mutating func note(_ segment: WALSegment, wal reason: String) {
        failed += 1
        faults.append(Fault(segment: segment.fileName, damaged: "wal", reason: reason))
    }

    func print() {
        StandardOutput.line("indexes   \(place)")
        StandardOutput.line(
            "segments  \(segments): \(sound) with an index, \(missing) without, \(damaged) with a damaged one, "
                + "\(unfinished) not finished, \(failed) damaged")
        if made > 0 { StandardOutput.line("made      \(made)") }
        for fault in faults {
            let what = fault.damaged == "index" ? "the index of \(fault.segment)" : fault.segment
            StandardOutput.line("\(what) is damaged: \(fault.reason)")
        }
    }

    /// - Throws: Where something is wrong that was not put right.
    func judge(onlyChecks: Bool) throws(CommandFailure) {
        if failed > 0 { throw CommandFailure(.badData, "\(failed) of \(segments) segments are damaged") }
        guard onlyChecks else { return }
        let hint = "zenith wal index makes them"
        if damaged > 0 { throw CommandFailure(.badData, "\(damaged) page indexes are damaged", hint: hint) }
        if missing > 0 { throw CommandFailure(.failed, "\(missing) page indexes are missing", hint: hint) }
    }
}
