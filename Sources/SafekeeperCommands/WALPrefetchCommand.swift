public import ArgumentParser
public import CommandKit
import Glibc
import PostgresFormat
import WALArchive

/// The process that `wal-fetch` leaves behind: it fetches the segments that recovery will ask for next.
///
/// It ends by itself, with all that it fetched and nobody asked for, when no more is asked for.
public struct WALPrefetchCommand: AsyncParsableCommand {
    static let name = "wal-prefetch"
    public static let configuration = CommandConfiguration(
        commandName: name, abstract: "Fetch WAL ahead of recovery; wal-fetch starts it.", shouldDisplay: false)

    @Argument(help: "Where the segment that was asked for went.")
    public var path: String
    @OptionGroup public var common: CommonOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var archive: ArchiveOptions

    public init() {}

    /// At the same time.
    private static let parallel = 4
    /// How far ahead: this many, of this many bytes, at least one.
    private static let windowCount = 16
    private static let windowBytes = 512 << 20
    private static let patience = Duration.seconds(60)

    public func run() async throws {
        let configuration = try Configuration.load(directory: common.directory, options: [common, storage, archive])
        guard let work = WorkDirectory(configuration, walFile: path) else { return }
        let ahead = PrefetchDirectory(work)
        guard ahead.makeDirectory() else { return }
        let lock = try ahead.lock()
        let place = try await ArchivePlace.open(configuration)
        await serve(ahead, place.reader)
        ahead.clear(behind: nil)
        withExtendedLifetime(lock) {}
    }

    private func serve(_ ahead: PrefetchDirectory, _ reader: WALArchiveReader) async {
        await withDiscardingTaskGroup { group in
            let fetching = Running()
            var current: WALFileName?
            var lastAsked = ContinuousClock.now
            while ContinuousClock.now - lastAsked < Self.patience {
                guard let wanted = ahead.wanted(), WALSegment.isValidSize(wanted.sizeBytes),
                    let segment = wanted.name.segment(size: wanted.sizeBytes)
                else { break }
                if wanted.name != current {
                    fetching.passed(wanted.name, before: current)
                    current = wanted.name
                    lastAsked = .now
                    ahead.clear(behind: wanted.name)
                }
                var next = segment
                window: for _ in 0..<max(1, min(Self.windowCount, Self.windowBytes / wanted.sizeBytes)) {
                    next = next.next
                    let name = WALFileName(next)
                    if ahead.has(name) { continue }
                    switch fetching.begin(name, limit: Self.parallel) {
                    case .underWay: continue
                    case .no: break window
                    case .begun: break
                    }
                    group.addTask {
                        let outcome = try? await reader.fetch(
                            name, to: ahead.path(name), temporary: ahead.temporaryPath(name))
                        fetching.end(name, isThere: outcome != nil && outcome != .missing)
                    }
                }
                // Recovery asks every few milliseconds, or not for long.
                let pause = ContinuousClock.now - lastAsked < .seconds(2) ? 3 : 50
                try? await Task.sleep(for: .milliseconds(pause))
            }
            group.cancelAll()
        }
    }
}
