public import ArgumentParser
public import CommandKit
import ObjectStorage
import WALArchive

/// `wal-push`: for PostgreSQL's `archive_command`.
public struct WALPushCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "wal-push", abstract: "Archive a WAL file, for archive_command.",
        discussion: """
            Exits with 0 when the archive has the file, durably: also when it had the same content before. Another \
            content under the same name is refused, and nothing is ever overwritten.

            Segments that wait beside the one that is asked for are pushed along with it.

            Example, in postgresql.conf:
              archive_command = 'safekeeper wal-push %p'
            """)

    @Argument(help: "The file: a segment, or a .history, .backup or .partial file.")
    public var path: String
    @OptionGroup public var common: CommonOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var archive: ArchiveOptions
    @OptionGroup public var effort: EffortOptions

    public init() {}

    /// What is pushed along with one file is bounded, so that PostgreSQL, which waits, can be stopped.
    private static let aheadCount = 31
    private static let aheadBytes = 512 << 20

    public func run() async throws {
        let path = absolutePath(path)
        let text = String(path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...])
        guard let name = WALFileName(text) else {
            throw CommandFailure(.usage, "\(path) does not have the name of a WAL file")
        }
        let file = LocalWAL(path: path, name: name)
        let configuration = try Configuration.load(
            directory: common.directory, options: [common, storage, archive, effort])
        let records = WorkDirectory(configuration, walFile: path).map(PushRecords.init)
        if let records, records.take(file) { return }

        let place = try await ArchivePlace.open(configuration)
        let ahead = records.map { Self.waiting(behind: file, $0) } ?? []
        var failure: (any Error)?
        await place.writer.offload(
            [file] + ahead.map(\.file), parallel: max(3, try configuration.required(Settings.workers))
        ) { pushed, result in
            switch result {
            case .failure(let error):
                // Another one's turn will come, and its failure be told then.
                if pushed == file { failure = error }
            case .success:
                if let known = ahead.first(where: { $0.file == pushed }) { records?.add(pushed, known.fingerprint) }
            }
        }
        if let failure { throw failure }
    }

    /// Segments that PostgreSQL has marked as ready, in their order.
    private static func waiting(
        behind file: LocalWAL, _ records: PushRecords
    ) -> [(file: LocalWAL, fingerprint: LocalWAL.Fingerprint)] {
        guard file.name.kind == .segment, let slash = file.path.lastIndex(of: "/") else { return [] }
        let directory = file.path[..<slash]
        let ready = entries(of: directory + "/archive_status").filter { $0.hasSuffix(".ready") }
            .compactMap { WALFileName($0.dropLast(6)) }
        records.keep(Set(ready.map(\.text)))
        var found: [(file: LocalWAL, fingerprint: LocalWAL.Fingerprint)] = []
        var sizeBytes = 0
        for name in ready.sorted() where name.kind == .segment && name > file.name {
            let next = LocalWAL(path: directory + "/" + name.text, name: name)
            guard !records.contains(next), let fingerprint = next.fingerprint() else { continue }
            sizeBytes += fingerprint.sizeBytes
            if found.count == aheadCount || sizeBytes > aheadBytes { break }
            found.append((next, fingerprint))
        }
        return found
    }
}
