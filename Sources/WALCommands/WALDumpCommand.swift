import ArgumentParser
import CommandKit
import PostgresFormat
import Synchronization
import WALArchive

/// `wal dump`: a line a record.
struct WALDumpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Print WAL records, one a line, as pg_waldump does.",
        discussion: """
            Segments whose page indexes (see index) tell that they have nothing about the pages that are asked for are not \
            read, and not checked.

            Ends with 0 where WAL ends or as much was printed as was asked for, and with 65 where WAL is damaged: where \
            records do not go on, and there is WAL behind. What was found is told on standard error.

            Examples:
              zenith wal dump /var/lib/postgresql/15/main/pg_wal/000000010000000000000003
              zenith wal dump s3://backups/orders --rmgr heap,heap2 --rel 1663/5/16385
              zenith wal dump ./wal_005 --start 0/3000028 --limit 100 --json
            """)

    @OptionGroup var place: WALPlaceOptions

    func run() async throws {
        let filter = try place.filter.filter()
        let (walk, end, passes) = try await place.open(filter)
        let printer = WALPrinter(
            filter: filter, limit: place.filter.limit, major: walk.major, writesJSON: place.output.json)
        let stop: WALWalk.Stop?
        do { stop = try await walk.run(to: end, passing: passes) { try printer.take($0) } } catch {
            printer.flush()
            throw error
        }
        printer.flush()
        try stop?.report()
    }
}

/// Prints records, many at once.
private final class WALPrinter: Sendable {
    private struct State {
        var rest: Int
        var buffer = ""

        mutating func flush() {
            StandardOutput.write(buffer)
            buffer = ""
        }
    }
    private let filter: WALFilter
    private let major: Int
    private let writesJSON: Bool
    private let state: Mutex<State>
    private static let bufferBytes = 64 << 10

    init(filter: WALFilter, limit: Int?, major: Int, writesJSON: Bool) {
        self.filter = filter
        self.major = major
        self.writesJSON = writesJSON
        state = Mutex(State(rest: limit ?? .max))
    }

    func take(_ record: WALRecord) throws -> Bool {
        guard filter.matches(record) else { return true }
        let line = writesJSON ? try jsonLine(WALRecordReport(record, major: major)) : walLine(record, major: major)
        return state.withLock { state in
            state.buffer += line
            state.buffer += "\n"
            if state.buffer.utf8.count >= Self.bufferBytes { state.flush() }
            state.rest -= 1
            return state.rest > 0
        }
    }

    func flush() { state.withLock { $0.flush() } }
}
