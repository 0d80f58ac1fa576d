public import ArgumentParser
public import CommandKit
import WALArchive

/// `wal-fetch`: for PostgreSQL's `restore_command`.
public struct WALFetchCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "wal-fetch", abstract: "Bring a WAL file back, for restore_command.",
        discussion: """
            Exits with 0 when PATH has the file, whole and checked, and with 74 when the archive has no such file.

            PostgreSQL takes every exit code up to 125 for the end of the WAL, and would end a recovery early when the \
            storage cannot be reached. With --stop-recovery, a failure exits with 255, and PostgreSQL stops instead.

            Example, in postgresql.conf:
              restore_command = 'safekeeper wal-fetch --stop-recovery %f %p'
            """)

    @Argument(help: "The file's name: a segment, or a .history, .backup or .partial file.")
    public var name: String
    @Argument(help: "Where it goes.")
    public var path: String
    @Flag(help: "Exit with 255 on a failure, so that PostgreSQL does not take it for the end of the WAL.")
    public var stopRecovery = false
    @OptionGroup public var common: CommonOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var archive: ArchiveOptions

    public init() {}

    public func run() async throws {
        do { try await fetch() } catch {
            let failure = CommandFailure(error)
            guard stopRecovery, failure.status != .notInArchive else { throw failure }
            StandardError.line("\(programName): \(failure)")
            throw ExitCode(255)
        }
    }

    private func fetch() async throws {
        guard let name = WALFileName(name) else {
            throw CommandFailure(.usage, "\(self.name) is not the name of a WAL file")
        }
        let target = absolutePath(path)
        let configuration = try Configuration.load(directory: common.directory, options: [common, storage, archive])
        _ = try configuration.required(Settings.storageDest)
        let ahead =
            name.kind == .segment ? WorkDirectory(configuration, walFile: target).map(PrefetchDirectory.init) : nil
        if let ahead, let sizeBytes = ahead.take(name, to: target) {
            prefetch(ahead, after: name, sizeBytes)
            return
        }
        let place = try await ArchivePlace.open(configuration)
        switch try await place.reader.fetch(name, to: target, takesUnfinished: true) {
        case .missing: throw CommandFailure(.notInArchive, "\(place.description) has no \(name)")
        case .fetched(let sizeBytes): if let ahead { prefetch(ahead, after: name, sizeBytes) }
        }
    }

    /// Lets the following segments be fetched, by a process that stays when this one ends. Recovery goes on without.
    private func prefetch(_ ahead: PrefetchDirectory, after name: WALFileName, _ sizeBytes: Int) {
        guard ahead.makeDirectory() else { return }
        ahead.want(name, sizeBytes: sizeBytes)
        if ahead.isServed { return }
        var arguments = [WALPrefetchCommand.name, absolutePath(path), "-D", common.directory]
        for source in [storage, archive] as [any SettingSource] {
            for case (let key, let text?) in source.settings {
                arguments += ["--" + String(key.map { $0 == "_" ? "-" : $0 }), text]
            }
        }
        try? Daemon.leaveBehind(arguments: arguments)
    }
}
