public import ArgumentParser
public import CommandKit
import FoundationEssentials
import Glibc
import Logging
import ReplicationServer
import Safekeeper
import SystemPackage
import WALStore

/// `safekeeper start`: runs the safekeeper, as a daemon unless told otherwise.
public struct SafekeeperStartCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start the safekeeper: it receives, keeps, serves and offloads WAL.",
        discussion: """
            A daemon by default. It goes on where it ended, however it ended, and connects to the primary for as long as
            it takes.

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
    @OptionGroup public var server: ServerOptions
    @Flag(help: "Stay in the foreground, and log to standard error.")
    public var foreground = false

    public init() {}

    public func run() async throws {
        let installation = try SafekeeperInstallation(common, [walSource, receiver, storage, archive, effort, server])
        let cluster = try installation.cluster()
        if foreground {
            try await Self.serve(installation, cluster)
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

    static func serve(_ installation: SafekeeperInstallation, _ cluster: SafekeeperInstallation.Cluster) async throws {
        let configuration = installation.configuration
        let output: LogOutput =
            Readiness.shared.isAwaited ? try LogOutput(path: installation.logFile) : .standardError
        startLog(level: try configuration.required(Settings.logLevel), to: output)
        let logger = Logger(label: SafekeeperInstallation.daemonName)
        let lock = try PidFile(
            directory: installation.directory.path.string, name: SafekeeperInstallation.daemonName)
        defer { withExtendedLifetime(lock) {} }
        let place = try ArchivePlace.open(configuration, prefix: cluster.archivePrefix, of: cluster.identity)
        let access = try ReplicationAccess(configuration, address: try installation.listenAddress())
        if let warning = access.warning { logger.warning("\(warning)") }
        let service = try SafekeeperService(
            directory: installation.directory, identity: cluster.identity,
            settings: SafekeeperService.Settings(
                source: try installation.source(),
                server: try access.load(),
                serverVersion: cluster.serverVersion, serverVersionNumber: cluster.serverVersionNumber,
                archive: place.writer, workers: try configuration.required(Settings.workers),
                offloadInterval: try configuration.required(Settings.offloadInterval),
                localWALBytes: try configuration.required(Settings.localWALSize).bytes),
            logger: logger)
        if let position = service.store.position {
            logger.info(
                "WAL on disk", metadata: ["end": "\(position.flushed)", "timeline": "\(position.timeline)"])
        }
        let signals = daemonSignals()  // before anybody is told that one may be sent
        let statusFile = installation.directory.status
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask {
                await awaitTermination(
                    signals,
                    onHangup: {
                        do { try output.reopen() } catch { logger.error("cannot open the log again: \(error)") }
                        do { try service.reload(access.load()) } catch {
                            logger.error("the replication port goes on as it was: \(CommandFailure(error).message)")
                        }
                    })
            }
            group.addTask {
                _ = try await service.awaitListening()
                Readiness.shared.ready()
                while true {
                    writeSmallFile(
                        statusFile.string, String(decoding: try JSONEncoder().encode(service.status), as: UTF8.self))
                    try await Task.sleep(for: .seconds(1))
                }
            }
            try await group.next()  // the first to end ends the others
            Readiness.shared.stopping()
            group.cancelAll()
            while true {
                do {
                    guard try await group.next() != nil else { break }
                } catch { continue }  // interrupted, as asked
            }
        }
        logger.info("stopped")
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

    private struct Report: Encodable {
        let directory: String
        let running: Bool
        let pid: Int32?
        /// What the daemon said last, also when it is gone.
        let safekeeper: SafekeeperStatus?
    }

    public func run() async throws {
        let installation = try SafekeeperInstallation(common)
        _ = try installation.cluster()
        let directory = installation.directory.path.string
        let pid = PidFile.holder(directory: directory, name: SafekeeperInstallation.daemonName)
        let status = installation.lastStatus()
        if output.json {
            try printJSON(Report(directory: directory, running: pid != nil, pid: pid, safekeeper: status))
        } else {
            StandardOutput.line(pid.map { "running (pid \($0))" } ?? "not running")
            if let status { describe(status, isRunning: pid != nil) }
        }
        if pid == nil { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    private func describe(_ status: SafekeeperStatus, isRunning: Bool) {
        if isRunning {
            StandardOutput.line("  state      \(status.state)\(status.primary.map { ", from \($0)" } ?? "")")
            if let reason = status.reason { StandardOutput.line("  reason     \(reason)") }
        }
        let timeline = status.timeline.map { " (timeline \($0))" } ?? ""
        StandardOutput.line("  flushed    \(status.flushed ?? "nothing yet")\(timeline)")
        StandardOutput.line("  lag        \(describeBytes(Int(clamping: status.lagBytes)))")
        StandardOutput.line("  offloaded  \(status.offloaded ?? "nothing")")
        if let error = status.offloadError { StandardOutput.line("  offload    \(error)") }
        for consumer in status.consumers {
            StandardOutput.line(
                "  consumer   \(consumer.name) at \(consumer.address), \(consumer.state), sent \(consumer.sent ?? "nothing")"
            )
        }
    }
}
