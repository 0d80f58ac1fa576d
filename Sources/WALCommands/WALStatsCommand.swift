import ArgumentParser
import CommandKit
import PostgresFormat
import Synchronization
import WALArchive
import WALInspection

/// `wal stats`: how much of WAL is what.
struct WALStatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Count WAL records and their bytes, as pg_waldump --stats does.",
        discussion: """
            Exits as dump does: with 65 where WAL is damaged, after printing what was counted up to there.

            Examples:
              zenith wal stats /var/lib/postgresql/15/main/pg_wal
              zenith wal stats s3://backups/orders --record --start 0/3000000 --end 0/5000000
            """)

    @OptionGroup var place: WALPlaceOptions
    @Flag(help: "By type of record, not only by resource manager.")
    var record = false

    func run() async throws {
        let filter = try place.filter.filter()
        let (walk, end, passes) = try await place.open(filter)
        let counter = WALCounter(
            WALStatistics(major: walk.major, countsTypes: record), filter: filter, limit: place.filter.limit)
        let stop = try await walk.run(to: end, passing: passes) { counter.take($0) }
        let counted = counter.counted
        let report = WALStatisticsReport(counted.statistics, first: counted.first, end: counted.end)
        if place.output.json { try printJSON(report) } else { report.print() }
        try stop?.report()
    }
}

private final class WALCounter: Sendable {
    struct State {
        var statistics: WALStatistics
        var first: LSN?
        var end: LSN?
        fileprivate var rest: Int
    }
    private let filter: WALFilter
    private let state: Mutex<State>

    init(_ statistics: WALStatistics, filter: WALFilter, limit: Int?) {
        self.filter = filter
        state = Mutex(State(statistics: statistics, rest: limit ?? .max))
    }

    func take(_ record: WALRecord) -> Bool {
        guard filter.matches(record) else { return true }
        return state.withLock { state in
            state.statistics.add(record)
            if state.first == nil { state.first = record.startLSN }
            state.end = record.endLSN
            state.rest -= 1
            return state.rest > 0
        }
    }

    var counted: State { state.withLock { $0 } }
}

/// What `wal stats` prints.
struct WALStatisticsReport: Encodable {
    struct Row: Encodable {
        let rmgr: String
        let type: String?
        let records: Int
        let recordBytes: Int
        let imageBytes: Int
        let totalBytes: Int
    }
    /// Of the records that were counted: where the first begins, and where WAL goes on after the last.
    let startLSN: String?
    let endLSN: String?
    let records: Int
    let recordBytes: Int
    let imageBytes: Int
    let totalBytes: Int
    let rows: [Row]

    init(_ statistics: WALStatistics, first: LSN?, end: LSN?) {
        let total = statistics.total
        startLSN = first?.description
        endLSN = end?.description
        records = total.records
        recordBytes = total.recordBytes
        imageBytes = total.imageBytes
        totalBytes = total.totalBytes
        rows = statistics.rows.map { row in
            Row(
                rmgr: row.manager.description, type: row.type, records: row.count.records,
                recordBytes: row.count.recordBytes, imageBytes: row.count.imageBytes,
                totalBytes: row.count.totalBytes)
        }
    }

    func print() {
        var table = Table(
            ("TYPE", .left), ("N", .right), ("%", .right), ("RECORD BYTES", .right), ("%", .right),
            ("IMAGE BYTES", .right), ("%", .right), ("TOTAL BYTES", .right), ("%", .right))
        for row in rows {
            table.add(
                row.type.map { "\(row.rmgr)/\($0)" } ?? row.rmgr, "\(row.records)", percent(row.records, records),
                "\(row.recordBytes)", percent(row.recordBytes, recordBytes), "\(row.imageBytes)",
                percent(row.imageBytes, imageBytes), "\(row.totalBytes)", percent(row.totalBytes, totalBytes))
        }
        // Of the sum, the shares of the whole, as pg_waldump has them in its last row.
        table.add(
            "Total", "\(records)", "", "\(recordBytes)", percent(recordBytes, totalBytes), "\(imageBytes)",
            percent(imageBytes, totalBytes), "\(totalBytes)", "")
        table.print()
    }

    private func percent(_ part: Int, _ whole: Int) -> String {
        let hundredths = whole == 0 ? 0 : Int((Double(part) * 10_000 / Double(whole)).rounded())
        return "\(hundredths / 100)." + (hundredths % 100 < 10 ? "0" : "") + "\(hundredths % 100)"
    }
}
