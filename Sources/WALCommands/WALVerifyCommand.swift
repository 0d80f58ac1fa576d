import ArgumentParser
import CommandKit
import Glibc
import Interchange
import ObjectStorage
import PostgresFormat
import Snapshots
import StorageURI
import Synchronization
import SystemPackage
import WALArchive
import WALInspection
import WALReplay

/// `wal verify`: whether redo makes of WAL what PostgreSQL made.
struct WALVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Replay WAL over a base, and compare pages with the server's own.",
        discussion: """
            BASE is a data directory that no server runs on (shut down, or a base backup), or a storage: its newest \
            snapshot, or that of --snapshot, is taken, which needs room for a copy of it in TMPDIR. It stays as it is.

            Each record is redone. Where the server wrote with wal_consistency_checking, records carry the pages as they \
            have to be afterwards, and each is compared with what came out, but for what PostgreSQL does not log either. \
            What a shutdown's checkpoint says of numbers that were given out is compared with the records before it. \
            Exits with 65 where a page or a checkpoint differs, a record cannot be redone, or WAL is damaged.

            Examples:
              zenith wal verify /srv/base /srv/wal
              zenith wal verify /var/backups/base s3://backups/orders --end 0/5000000 --json
            """)

    @Argument(help: ArgumentHelp("A data directory, or a storage with snapshots.", valueName: "base"))
    var base: String
    @Argument(help: ArgumentHelp("A directory with segments, or a storage.", valueName: "path"))
    var path: String
    @Option(help: ArgumentHelp("The snapshot to begin with (default: the newest).", valueName: "name"))
    var snapshot: String?
    @OptionGroup var range: WALRangeOptions
    @OptionGroup var common: CommonOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let configuration = try Configuration.load(directory: common.directory, options: [common, range])
        let directory = try await directory(configuration, scratch)
        let base = try open(directory)
        let (major, start) = (base.major, try range.startLSN() ?? base.startLSN())
        let place = try await WALPlace.open(path, timeline: configuration.required(Settings.timeline))
        let walk = try await WALWalk(place.archive, timeline: range.tli, start: start, only: place.only)
        guard walk.major == major else {
            throw CommandFailure(
                .badData, "\(self.base) is of PostgreSQL \(major), and the WAL in \(path) of \(walk.major)")
        }
        let verifier = try WALVerifier(base, scratch: scratch.path)
        let stop = try await walk.run(to: range.endLSN()) { record in
            try verifier.take(record)
            return true
        }
        let report = WALVerificationReport(verifier.finish(), major: major, start: start, stop: stop)
        if output.json { try printJSON(report) } else { report.print() }
        try stop?.report()
        guard report.isSound else {
            throw CommandFailure(
                .badData, "redo of the WAL in \(path) over \(self.base) gave something else than the server had",
                hint: "the first are listed above; pg_waldump shows the records at their LSNs")
        }
    }

    private func open(_ directory: FilePath) throws -> BaseDirectory {
        do {
            let base = try BaseDirectory(directory)
            var status = stat()
            guard stat(directory.appending("postmaster.pid").string, &status) != 0 else {
                throw CommandFailure(
                    .failed, "\(directory): postmaster.pid is there: PostgreSQL may be running on it",
                    hint: "shut it down, or name a base backup")
            }
            return base
        } catch let error as FormatError { throw CommandFailure(.badData, "\(directory): \(error)") } catch let error
            as Errno
        {
            throw CommandFailure(.failed, "\(directory) is no data directory: \(error)")
        }
    }

    /// The data directory: that which was named, or a snapshot that is written out.
    private func directory(_ configuration: Configuration, _ scratch: Scratch) async throws -> FilePath {
        let location = try Storages.location(base, role: .storage)
        var status = stat()
        if location.scheme == .file, stat(location.path + "/PG_VERSION", &status) == 0 {
            guard snapshot == nil else { throw CommandFailure(.usage, "--snapshot is for a storage, not for \(base)") }
            return FilePath(location.path)
        }
        let repository = try await Repository.open(Storages.openReadOnly(base, role: .storage))
        let timeline = try await repository.timeline(configuration[Settings.timeline])
        let names = try await repository.snapshots(timeline).map(\.name)
        let name = try pickSnapshot(snapshot, from: names, in: repository.location)
        let manifest = try await repository.manifest(name)
        let reader = SnapshotReader(manifest: manifest, local: nil, repository: repository, cache: nil)
        let target = try scratch.directory().appending("base")
        let bar = ProgressBar("snapshot")
        try await bar.during {
            try await LocalExport(
                reader, options: .init(), pool: WorkerPool(width: configuration.required(Settings.workers)),
                progress: bar
            ).run(to: target)
        }
        return target
    }
}

/// Redoes records, one after the other.
private final class WALVerifier: Sendable {
    private let lock = Mutex(())
    /// Touched under `lock` alone: a Mutex around it would let no record in, whose bytes are borrowed.
    nonisolated(unsafe) private let replay: ClusterReplay

    init(_ base: BaseDirectory, scratch: FilePath) throws {
        replay = try ClusterReplay(base: base, major: base.major, scratch: scratch)
    }

    func take(_ record: WALRecord) throws { try lock.withLock { _ in try replay.take(record) } }

    func finish() -> ReplayReport {
        lock.withLock { _ in
            replay.finish()
            return replay.report
        }
    }
}

/// A place for what is needed during one run.
private final class Scratch {
    /// Where temporary files belong.
    let path = FilePath(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")
    private var made: FilePath?

    func directory() throws -> FilePath {
        let path = path.appending("zenith-verify-\(getpid())")
        guard mkdir(path.string, 0o700) == 0 else { throw Errno(rawValue: errno) }
        made = path
        return path
    }

    func remove() {
        guard let made else { return }
        do { try removeTree(made) } catch {
            StandardError.line("zenith: warning: \(made) could not be removed: \(error)")
        }
    }
}

/// What `wal verify` prints.
struct WALVerificationReport: Encodable {
    struct Row: Encodable {
        let rmgr: String
        /// Changes of pages.
        let redone: Int
        let compared: Int
        /// Changes of pages that were not there.
        let absent: Int
        let mismatched: Int
    }
    struct Fault: Encodable {
        let lsn: String
        let rmgr: String?
        let type: String?
        let page: String?
        let reason: String?
        let differences: [Difference]
    }
    struct Difference: Encodable {
        let offset: Int
        let here: UInt8
        let there: UInt8
    }
    let startLSN: String
    let endLSN: String?
    let records: Int
    /// Of shutdowns, compared with the records before.
    let checkpoints: Int
    let rows: [Row]
    let types: [String: Int]
    let faults: [Fault]
    var isSound: Bool { faults.isEmpty }
    private let lines: [String]

    private enum CodingKeys: String, CodingKey { case startLSN, endLSN, records, checkpoints, rows, types, faults }

    init(_ report: ReplayReport, major: Int, start: LSN, stop: WALWalk.Stop?) {
        startLSN = "\(start)"
        endLSN = stop?.lsn?.description
        records = report.records
        checkpoints = report.checkpoints
        rows = report.counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { manager, count in
            Row(
                rmgr: manager.description, redone: count.redone, compared: count.compared, absent: count.unknown,
                mismatched: count.mismatched)
        }
        var types: [String: Int] = [:]
        for (manager, operations) in report.compared {
            for (operation, count) in operations {
                types["\(manager)/\(WALRecordDescription.name(manager, info: operation, major: major))"] = count
            }
        }
        self.types = types
        faults = report.faults.map { fault in
            Fault(
                lsn: "\(fault.lsn)", rmgr: fault.manager?.description, type: fault.manager == nil ? nil : fault.type,
                page: fault.page?.description, reason: fault.reason,
                differences: fault.differences.map { Difference(offset: $0.offset, here: $0.here, there: $0.there) })
        }
        lines = report.faults.map(\.description)
    }

    func print() {
        var table = Table(
            ("RMGR", .left), ("REDONE", .right), ("COMPARED", .right), ("ABSENT", .right), ("MISMATCHED", .right))
        for row in rows {
            table.add(row.rmgr, "\(row.redone)", "\(row.compared)", "\(row.absent)", "\(row.mismatched)")
        }
        table.print()
        for line in lines { StandardOutput.line(line) }
        StandardOutput.line("\(records) records from \(startLSN): \(isSound ? "no mismatch" : "\(faults.count) shown")")
    }
}
