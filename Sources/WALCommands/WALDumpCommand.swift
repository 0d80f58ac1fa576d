import ArgumentParser
import CommandKit
import PostgresFormat
// What errors of the archive mean for the one who ran the command.
import SafekeeperCommands
import WALArchive

/// `wal dump`: a line a record.
struct WALDumpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Print WAL records, one a line, as pg_waldump does.",
        discussion: """
            Ends with 0 where WAL ends or as much was printed as was asked for, and with 65 where WAL is damaged: where
            records do not go on, and there is WAL behind. What was found is told on standard error.

            Examples:
              zenith wal dump /var/lib/postgresql/15/main/pg_wal/000000010000000000000003
              zenith wal dump s3://backups/orders --rmgr heap,heap2 --rel 1663/5/16385
              zenith wal dump ./wal_005 --start 0/3000028 --limit 100 --json
            """)

    @OptionGroup var place: WALPlaceOptions

    func run() async throws {
        let filter = try place.filter.filter()
        let (walk, end) = try await place.open()
        let printer = WALPrinter(
            filter: filter, limit: place.filter.limit, major: walk.major, writesJSON: place.output.json)
        let stop: WALWalk.Stop?
        do { stop = try await walk.run(to: end) { record in try printer.take(record) } } catch {
            printer.flush()
            throw error
        }
        printer.flush()
        try stop?.report()
    }
}

/// Prints records, many at once.
///
/// - Note: Not guarded: `WALWalk.run` hands over one record after the other, and is over when this is flushed.
private final class WALPrinter: @unchecked Sendable {
    private let filter: WALFilter
    private var rest: Int
    private let major: Int
    private let writesJSON: Bool
    private var buffer = ""
    private static let bufferBytes = 64 << 10

    init(filter: WALFilter, limit: Int?, major: Int, writesJSON: Bool) {
        self.filter = filter
        rest = limit ?? .max
        self.major = major
        self.writesJSON = writesJSON
    }

    func take(_ record: WALRecord) throws -> Bool {
        guard filter.matches(record) else { return true }
        buffer += writesJSON ? try jsonLine(WALRecordReport(record, major: major)) : walLine(record, major: major)
        buffer += "\n"
        if buffer.utf8.count >= Self.bufferBytes { flush() }
        rest -= 1
        return rest > 0
    }

    func flush() {
        StandardOutput.write(buffer)
        buffer = ""
    }
}
