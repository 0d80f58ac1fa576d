public import ArgumentParser
public import CommandKit
import PostgresFormat
import Safekeeper
import SystemPackage

/// `safekeeper start`: runs the safekeeper, as a daemon unless told otherwise.
public struct SafekeeperStartCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start the safekeeper: it receives, keeps, serves and offloads WAL.",
        discussion: """
            A daemon by default. It goes on where it ended, however it ended, and connects to the primary for as long \
            as it takes.

            Examples:
              safekeeper start
              safekeeper start -D /srv/sk2 --foreground
            """)

    @OptionGroup public var common: CommonOptions
    @OptionGroup public var walSource: WALSourceOptions
    @OptionGroup public var receiver: ReceiverOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var archive: ArchiveOptions
    @OptionGroup public var effort: EffortOptions
    @OptionGroup public var server: SafekeeperServerOptions
    @Flag(help: "Stay in the foreground, and log to standard error.")
    public var foreground = false

    public init() {}

    public func run() async throws {
        let installation = try SafekeeperInstallation(common, [walSource, receiver, storage, archive, effort, server])
        let cluster = try installation.cluster()
        if foreground {
            try await SafekeeperDaemon(installation: installation, cluster: cluster).serve()
        } else {
            let directory = installation.directory.path.string
            if let pid = PidFile.holder(directory: directory, name: SafekeeperInstallation.daemonName) {
                throw CommandFailure(.temporary, "a safekeeper runs on \(directory) already (pid \(pid))")
            }
            let pid = try Daemon.start(
                arguments: normalizedOptionNames(Array(CommandLine.arguments.dropFirst())) + ["--foreground"],
                logFile: installation.logFile)
            StandardOutput.line("started (pid \(pid)); log: \(installation.logFile)")
        }
    }
}

/// `safekeeper stop`: ends the daemon.
public struct SafekeeperStopCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop the safekeeper; WAL waits on the primary until the next start.",
        discussion: """
            Example:
              safekeeper stop --mode fast
            """)

    @OptionGroup public var common: CommonOptions
    @Option(help: ArgumentHelp("fast ends it in order, immediate at once, as a crash would.", valueName: "mode"))
    public var mode = "fast"

    public init() {}

    public func run() async throws {
        let mode = try Daemon.StopMode(option: mode)
        let wasRunning = try Daemon.stop(
            directory: common.directory, name: SafekeeperInstallation.daemonName, mode: mode)
        StandardOutput.line(wasRunning ? "stopped" : "no safekeeper runs on \(common.directory)")
        guard wasRunning, mode == .fast, let status = try SafekeeperInstallation(common).lastStatus(),
            let flushed = status.flushed.flatMap({ LSN($0) }), let offloaded = status.offloaded.flatMap({ LSN($0) }),
            offloaded < flushed
        else { return }
        let start = offloaded == .invalid ? "" : " from \(offloaded)"
        StandardOutput.line(
            "WAL\(start) up to \(flushed) is not in storage: it is on this disk alone until the next start")
    }
}

/// `safekeeper status`: how the daemon is.
public struct SafekeeperStatusCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say whether the safekeeper runs, and how far its WAL goes.",
        discussion: """
            Exits with 0 when it runs and with 1 when it does not.

            Example:
              safekeeper status --json
            """)

    @OptionGroup public var common: CommonOptions
    @OptionGroup public var output: OutputOptions

    public init() {}

    public func run() async throws {
        let installation = try SafekeeperInstallation(common)
        _ = try installation.cluster()
        let report = SafekeeperReport(installation)
        if output.json { try printJSON(report) } else { report.describe() }
        if !report.running { throw ExitCode(ExitStatus.failed.rawValue) }
    }
}
