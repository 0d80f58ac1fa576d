import ArgumentParser
import CommandKit
import PageserverCommands
import SafekeeperCommands

/// `zenith start`: the pageserver, and where there is a wal_source the safekeeper.
struct ZenithStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: StartCommand.configuration.abstract,
        discussion: StartCommand.configuration.discussion + """


            With a wal_source, a safekeeper runs beside it, as a process of its own that is started again whenever it
            ends: it goes on while the pageserver does not.
            """)

    @OptionGroup var pageserver: StartCommand
    @OptionGroup var receiver: ReceiverOptions
    @OptionGroup var wal: WALOptions
    @Flag(help: .hidden)
    var safekeeperAlone = false

    func run() async throws {
        let further: [any SettingSource] = [receiver, wal]
        if let pageserver = try pageserver.initialization { try await initialize(pageserver, further: further) }
        let options = [pageserver.common] + pageserver.options + further
        let configuration = try Configuration.load(directory: pageserver.common.directory, options: options)
        guard configuration.hasFile, let safekeeper = SafekeeperBeside(configuration) else {
            return try await pageserver.start()
        }
        if safekeeperAlone { return try await safekeeper.serve() }
        if let words = try await safekeeper.prepare() { StandardOutput.line(words) }
        let arguments = Self.arguments
        if let started = try safekeeper.start(arguments) {
            StandardOutput.line("safekeeper started (pid \(started.pid)); log: \(started.logFile)")
        }
        try await pageserver.start { logger in try await safekeeper.keepRunning(arguments, logger: logger) }
        // Served until it was told to stop. Where it failed, the safekeeper goes on.
        if pageserver.foreground { _ = try safekeeper.stop(.fast) }
    }

    /// Those that make this program serve the safekeeper in the foreground.
    private static var arguments: [String] {
        normalizedOptionNames(Array(CommandLine.arguments.dropFirst())).filter { $0 != "--foreground" }
            + ["--foreground", "--safekeeper-alone"]
    }
}
