public import ArgumentParser
public import CommandKit
import Glibc
public import Logging
import ObjectStorage
import PageStore
import Snapshots
import StatusServer
import SystemPackage

/// `start`: runs the pageserver, as a daemon unless told otherwise.
public struct StartCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start the pageserver: it brings what is only here into storage, and works from storage.",
        discussion: """
            A daemon by default. With --storage-dest and a directory that is new, init is run first. When the local \
            directory is lost or damaged, all but its zenith.toml, the pageserver goes on from the latest snapshot in \
            storage.

            Examples:
              zenith start
              zenith start -D /srv/zenith --foreground
            """)

    @OptionGroup public var common: CommonOptions
    @OptionGroup public var storage: StorageOptions
    @OptionGroup public var source: SnapshotSourceOptions
    @OptionGroup public var postgres: PostgresOptions
    @OptionGroup public var walSource: WALSourceOptions
    @OptionGroup public var ingest: IngestOptions
    @OptionGroup public var effort: EffortOptions
    @OptionGroup public var server: ServerOptions
    @Flag(help: "Stay in the foreground, and log to standard error.")
    public var foreground = false

    public init() {}

    public var options: [any SettingSource] { [storage, postgres, walSource, ingest, effort, server] }

    public func run() async throws {
        try await initialization?.initialize()
        try await start()
    }

    /// What is to be done first, where the directory is new.
    public var initialization: InitCommand? {
        get throws {
            guard storage.storageDest != nil, try !Installation(common, options).configuration.hasFile else {
                return nil
            }
            var initialize = InitCommand()
            initialize.common = common
            initialize.storage = storage
            initialize.source = source
            initialize.postgres = postgres
            initialize.walSource = walSource
            initialize.ingest = ingest
            initialize.effort = effort
            initialize.server = server
            initialize.allowCorruptPages = false
            initialize.label = nil
            return initialize
        }
    }

    /// What runs beside the pageserver, in the process that serves, until its task is cancelled.
    public typealias Companion = @Sendable (Logger) async throws -> Void

    public func start(beside companion: Companion? = nil) async throws {
        let installation = try Installation(common, options)
        try installation.requireInitialized()
        if foreground {
            try await serve(installation, companion)
        } else {
            try startDaemon(installation)
        }
    }

    private func startDaemon(_ installation: Installation) throws {
        let directory = installation.directory.path.string
        if let pid = PidFile.holder(directory: directory, name: Installation.daemonName) {
            throw CommandFailure(.temporary, "the pageserver runs on \(directory) already (pid \(pid))")
        }
        let pid = try Daemon.start(
            arguments: normalizedOptionNames(Array(CommandLine.arguments.dropFirst())) + ["--foreground"],
            logFile: installation.logFile)
        StandardOutput.line("started (pid \(pid)); log: \(installation.logFile)")
    }

    private func serve(_ installation: Installation, _ companion: Companion?) async throws {
        let output: LogOutput =
            Readiness.shared.isAwaited ? try LogOutput(path: installation.logFile) : .standardError
        startLog(level: try installation.configuration.required(Settings.logLevel), to: output)
        let logger = Logger(label: Installation.daemonName)
        let lock = try PidFile(directory: installation.directory.path.string, name: Installation.daemonName)
        defer { withExtendedLifetime(lock) {} }
        let store = try installation.openStorage()
        let pageserver = Pageserver(
            directory: installation.directory, store: store,
            timelineName: installation.configuration[Settings.timeline],
            owner: "\(hostName()) pid \(getpid())", pid: getpid(), logger: logger)
        let pages = StatusPages(
            status: {
                try jsonText(
                    PageserverReport(
                        directory: installation.directory.path.string, running: true, pid: getpid(),
                        pageserver: await pageserver.status))
            },
            metrics: { await pageserver.status.metrics })
        try await withStatusServer(
            installation.configuration, Settings.listenHTTP, pages: pages, logger: logger
        ) {
            try await run(pageserver, store, companion, output, logger)
        }
        logger.info("stopped")
    }

    private func run(
        _ pageserver: Pageserver, _ store: any ObjectStore, _ companion: Companion?, _ output: LogOutput,
        _ logger: Logger
    ) async throws {
        let started = try await pageserver.start()
        // Known only now: the generation was claimed by it.
        if !store.createsAtomically {
            logger.warning(
                "the storage has no create-if-absent: keep to one pageserver on it, as two would not notice each other",
                metadata: ["storage": "\(store.location)"])
        }
        let signals = daemonSignals()  // before anybody is told that one may be sent
        Readiness.shared.ready()
        do {
            var works: [@Sendable () async throws -> Void] = [{ try await pageserver.run(started) }]
            if let companion { works.append { try await companion(logger) } }
            try await work(
                until: signals,
                onHangup: {
                    do { try output.reopen() } catch { logger.error("cannot open the log again: \(error)") }
                }, works)
        } catch {
            await pageserver.finish(error: error)
            throw error
        }
        await pageserver.finish(error: nil)
    }
}

func hostName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    return gethostname(&buffer, buffer.count - 1) == 0
        ? String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : "unknown host"
}

/// `stop`: ends the daemon.
public struct StopCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop the pageserver; what was not pushed yet is pushed after the next start.",
        discussion: """
            Example:
              zenith stop --mode fast
            """)

    @OptionGroup public var common: CommonOptions
    @Option(help: ArgumentHelp("fast ends it in order, immediate at once, as a crash would.", valueName: "mode"))
    public var mode = "fast"

    public init() {}

    public func run() async throws {
        let mode = try Daemon.StopMode(option: mode)
        let directory = common.directory
        let wasRunning = try Daemon.stop(directory: directory, name: Installation.daemonName, mode: mode)
        StandardOutput.line(wasRunning ? "stopped" : "no pageserver runs on \(directory)")
    }
}
