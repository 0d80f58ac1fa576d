import Glibc
import PostgresFormat
import SystemPackage
import WALReplay

/// Measures what redo does, one thing a run: `scripts/bench-redo` prepares WAL, and starts it.
@main
enum Main {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 6, let end = LSN(arguments[3]), let threads = Int(arguments[4]) else {
            print("redo-benchmark decode|index|redo|rebuild|rebuild-indexed WAL-DIRECTORY END-LSN THREADS BASE")
            exit(64)
        }
        let base = FilePath(arguments[5])
        let wal = try MappedSegments(arguments[2], end: end, major: BaseDirectory(base).major)
        let benchmark = Benchmark(wal: wal, basePath: base, threads: threads)
        switch arguments[1] {
        case "decode": try benchmark.decode()
        case "index": try benchmark.index()
        case "redo": try benchmark.redo()
        case "rebuild": try benchmark.rebuild(isIndexed: false)
        case "rebuild-indexed": try benchmark.rebuild(isIndexed: true)
        default: exit(64)
        }
    }
}

/// Seconds of the wall clock and of the processor since it was made.
struct Stopwatch {
    private let wall = Self.now(CLOCK_MONOTONIC)
    private let processor = Self.now(CLOCK_PROCESS_CPUTIME_ID)

    static func now(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Prints a line: name, count, bytes, wall seconds, processor seconds.
    func report(_ name: String, _ values: [(String, Int)]) {
        let (wall, processor) = (Self.now(CLOCK_MONOTONIC) - wall, Self.now(CLOCK_PROCESS_CPUTIME_ID) - processor)
        let counts = values.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ")
        print("{\"what\": \"\(name)\", \"wall\": \(wall), \"cpu\": \(processor), \(counts)}")
    }
}
