public import ArgumentParser
public import CommandKit
import FoundationEssentials
import Glibc
import Logging
import ObjectStorage
import ReplicationServer
import Safekeeper
import StatusServer
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
    @OptionGroup public var server: SafekeeperServerOptions
    @Flag(help: "Stay in the foreground, and log to standard error.")
    public var foreground = false

    public init() {}

    public func run() async throws {
        let installation = try SafekeeperInstallation(common, [walSource, receiver, storage, archive, effort, server])
        let cluster = try installation.cluster()
        if foreground {
            try await serve(installation, cluster)
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

    private func serve(_ installation: SafekeeperInstallation, _ cluster: SafekeeperInstallation.Cluster) async throws {
        let configuration = installation.configuration
        let output: LogOutput =
            Readiness.shared.isAwaited ? try LogOutput(path: installation.logFile) : .standardError
        startLog(level: try configuration.required(Settings.logLevel), to: output)
        let logger = Logger(label: SafekeeperInstallation.daemonName)
        let lock = try PidFile(
            directory: installation.directory.path.string, name: SafekeeperInstallation.daemonName)
        defer { withExtendedLifetime(lock) {} }
        let place = try ArchivePlace.open(configuration, prefix: cluster.archivePrefix, of: cluster.identity)
        let address = try configuration.required(Settings.safekeeperListenPG)
        let service = try SafekeeperService(
            directory: installation.directory, identity: cluster.identity,
            settings: SafekeeperService.Settings(
                source: try installation.source(),
                server: ReplicationServerConfiguration(
                    host: address.bindingHost, port: Int(address.port), trustsLoopback: true),
                serverVersion: cluster.serverVersion, serverVersionNumber: cluster.serverVersionNumber,
                archive: place.writer, workers: try configuration.required(Settings.workers),
                offloadInterval: try configuration.required(Settings.offloadInterval)),
            logger: logger)
        if let position = service.store.position {
            logger.info(
                "WAL on disk", metadata: ["end": "\(position.flushed)", "timeline": "\(position.timeline)"])
        }
        warnOfOtherAddresses(configuration, logger)
        let pages = StatusPages(
            status: {
                try jsonText(
                    SafekeeperReport(
                        directory: installation.directory.path.string, running: true, pid: getpid(),
                        safekeeper: try await currentStatus(of: service)))
            },
            metrics: { try await currentStatus(of: service).metrics })
        let signals = daemonSignals()  // before anybody is told that one may be sent
        do {
            try await withStatusServer(configuration, Settings.safekeeperListenHTTP, pages: pages, logger: logger) {
                try await run(service, signals, statusFile: installation.directory.status.string, output, logger)
            }
        } catch let error as ReplicationServer.ListenError {
            throw CommandFailure.cannotListen(
                on: address, code: error.code, reason: error.description, setting: Settings.safekeeperListenPG)
        }
        logger.info("stopped")
    }

    private func run(
        _ service: SafekeeperService, _ signals: AsyncStream<DaemonSignal>, statusFile: String, _ output: LogOutput,
        _ logger: Logger
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask {
                await awaitTermination(
                    signals,
                    onHangup: {
                        do { try output.reopen() } catch { logger.error("cannot open the log again: \(error)") }
                    })
            }
            group.addTask {
                _ = try await service.awaitListening()
                Readiness.shared.ready()
                while true {
                    let status = try await currentStatus(of: service)
                    writeSmallFile(statusFile, String(decoding: try JSONEncoder().encode(status), as: UTF8.self))
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
    }

    /// In a file for both daemons these are the pageserver's; in a safekeeper's own they are taken for its own easily.
    private func warnOfOtherAddresses(_ configuration: Configuration, _ logger: Logger) {
        let pairs: [(any SettingDeclaration, any SettingDeclaration)] = [
            (Settings.listenHTTP, Settings.safekeeperListenHTTP), (Settings.listenPG, Settings.safekeeperListenPG),
        ]
        for (other, own) in pairs
        where configuration.entry(other).origin != .standard && configuration.entry(own).origin == .standard {
            logger.warning("\(other.key) is the pageserver's; a safekeeper listens on \(own.key)")
        }
    }
}

/// It looks at the disk.
private func currentStatus(of service: SafekeeperService) async throws -> SafekeeperStatus {
    try await BlockingWork.run { _ in try service.status }
}

/// What `status --json` prints, and a running daemon answers.
private struct SafekeeperReport: Encodable {
    let directory: String
    let running: Bool
    let pid: Int32?
    /// What the daemon said last, also when it is gone.
    let safekeeper: SafekeeperStatus?
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

    public func run() async throws {
        let installation = try SafekeeperInstallation(common)
        _ = try installation.cluster()
        let directory = installation.directory.path.string
        let pid = PidFile.holder(directory: directory, name: SafekeeperInstallation.daemonName)
        let status = installation.lastStatus()
        if output.json {
            try printJSON(SafekeeperReport(directory: directory, running: pid != nil, pid: pid, safekeeper: status))
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
        let lag = status.lagSeconds > 0 ? ", for \(Int(status.lagSeconds.rounded(.up))) s" : ""
        StandardOutput.line("  lag        \(describeBytes(Int(clamping: status.lagBytes)))\(lag)")
        StandardOutput.line("  offloaded  \(status.offloaded ?? "nothing")")
        if let error = status.offloadError { StandardOutput.line("  offload    \(error)") }
        for consumer in status.consumers {
            StandardOutput.line(
                "  consumer   \(consumer.name) at \(consumer.address), \(consumer.state), sent \(consumer.sent ?? "nothing")"
            )
        }
    }
}
