import CommandKit
import FoundationEssentials
import Glibc
import Listening
import Logging
import ObjectStorage
import ReplicationServer
import Safekeeper
import StatusServer
import SystemPackage
import WALStore

/// The process that runs a safekeeper.
struct SafekeeperDaemon {
    let installation: SafekeeperInstallation
    let cluster: SafekeeperInstallation.Cluster

    private var configuration: Configuration { installation.configuration }

    /// Serves until a signal ends it.
    func serve() async throws {
        let output: LogOutput =
            Readiness.shared.isAwaited ? try LogOutput(path: installation.logFile) : .standardError
        startLog(level: try configuration.required(Settings.logLevel), to: output)
        let logger = Logger(label: SafekeeperInstallation.daemonName)
        let lock = try PidFile(
            directory: installation.directory.path.string, name: SafekeeperInstallation.daemonName)
        defer { withExtendedLifetime(lock) {} }
        if configuration.directory == installation.directory.path.string { warnOfOtherAddresses(logger) }
        let address = try configuration.required(Settings.safekeeperListenPG)
        let access = try ReplicationAccess(configuration, address: address)
        if let warning = access.warning { logger.warning("\(warning)") }
        let service = try makeService(access, logger)
        let pages = StatusPages(
            status: {
                try jsonText(
                    SafekeeperReport(
                        directory: installation.directory.path.string, pid: getpid(),
                        safekeeper: try await currentStatus(of: service)))
            },
            metrics: { try await currentStatus(of: service).metrics })
        let signals = daemonSignals()  // before anybody is told that one may be sent
        try await withStatusServer(configuration, Settings.safekeeperListenHTTP, pages: pages, logger: logger) {
            do {
                try await work(
                    until: signals,
                    onHangup: {
                        do { try output.reopen() } catch { logger.error("cannot open the log again: \(error)") }
                        do { try service.reload(access.load()) } catch {
                            logger.error("the replication port goes on as it was: \(CommandFailure(error).message)")
                        }
                    }, [{ try await service.run() }, { try await report(service, logger) }])
            } catch let error as ListenError {
                throw CommandFailure.cannotListen(on: address, error, setting: Settings.safekeeperListenPG)
            }
        }
        do { try await write(service) } catch { logger.warning("cannot say how it ended: \(error)") }  // for `stop`
        logger.info("stopped")
    }

    private func makeService(_ access: ReplicationAccess, _ logger: Logger) throws -> SafekeeperService {
        let place = try ArchivePlace.open(configuration, prefix: cluster.archivePrefix, of: cluster.identity)
        var source = try installation.source()
        source.firstPosition = cluster.start
        let service = try SafekeeperService(
            directory: installation.directory, identity: cluster.identity,
            settings: SafekeeperService.Settings(
                source: source, server: try access.load(), serverVersion: cluster.serverVersion,
                serverVersionNumber: cluster.serverVersionNumber, archive: place.writer,
                indexes: place.indexes,
                workers: try configuration.required(Settings.workers),
                offloadInterval: try configuration.required(Settings.offloadInterval),
                localWALBytes: try configuration.required(Settings.localWALSize).bytes),
            logger: logger)
        if let position = service.store.position {
            logger.info(
                "WAL on disk", metadata: ["end": "\(position.flushed)", "timeline": "\(position.timeline)"])
        }
        return service
    }

    /// In a file for both daemons these are the pageserver's; in a safekeeper's own they are taken for its own easily.
    private func warnOfOtherAddresses(_ logger: Logger) {
        let pairs: [(any SettingDeclaration, any SettingDeclaration)] = [
            (Settings.listenHTTP, Settings.safekeeperListenHTTP), (Settings.listenPG, Settings.safekeeperListenPG),
        ]
        for (other, own) in pairs
        where configuration.entry(other).origin != .standard && configuration.entry(own).origin == .standard {
            logger.warning("\(other.key) is the pageserver's; a safekeeper listens on \(own.key)")
        }
    }

    /// Says that it serves, and how it is, for those who look at its directory.
    private func report(_ service: SafekeeperService, _ logger: Logger) async throws {
        _ = try await service.awaitListening()
        Readiness.shared.ready()
        var isFailing = false
        while true {
            do {
                try await write(service)
                isFailing = false
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                // WAL goes on without it.
                if !isFailing { logger.warning("cannot say how it is: \(error)") }
                isFailing = true
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private func write(_ service: SafekeeperService) async throws {
        let status = try await currentStatus(of: service)
        writeSmallFile(
            installation.directory.status.string, String(decoding: try JSONEncoder().encode(status), as: UTF8.self))
    }
}

/// It looks at the disk.
private func currentStatus(of service: SafekeeperService) async throws -> SafekeeperStatus {
    try await BlockingWork.run { _ in try service.status }
}
