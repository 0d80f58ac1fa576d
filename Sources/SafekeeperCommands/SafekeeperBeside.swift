public import CommandKit
import Glibc
public import Logging
import ObjectStorage
import ReplicationClient
import Safekeeper
import Snapshots
import SystemPackage

/// The safekeeper that `zenith` runs beside the pageserver: in `DIR/safekeeper`, with the settings of `DIR/zenith.toml`.
///
/// It is a process of its own: commits wait for it, and what ends the pageserver does not end it.
public struct SafekeeperBeside: Sendable {
    private let installation: SafekeeperInstallation

    /// Nil where no `wal_source` is set.
    public init?(_ configuration: Configuration) {
        guard configuration[Settings.walSource] != nil else { return nil }
        let path = FilePath(configuration.directory).appending("safekeeper")
        installation = SafekeeperInstallation(configuration, directory: SafekeeperDirectory(path))
    }

    private var directory: String { installation.directory.path.string }

    /// Refuses a primary that runs and cannot be what is about to be made: another cluster than the repository's, or any,
    /// where a new cluster is.
    ///
    /// - Parameter isNewCluster: What `init` will do where there is no repository.
    public func check(isNewCluster: Bool) async throws {
        let place = try await ArchivePlace.open(installation.configuration)
        let running: (identifier: UInt64, address: String)
        do {
            let source = try installation.source()
            let connection = try ReplicationConnection(source.connectionInfo, applicationName: source.name)
            running = (try connection.identifySystem().identifier, connection.address)
        } catch let error as ReplicationError {
            if error.code == .unavailable { return }
            throw error
        }
        if let expected = place.systemIdentifier {
            guard expected != running.identifier else { return }
            throw CommandFailure(
                .configuration,
                "wal_source leads to \(running.address), the cluster with system identifier \(running.identifier), and "
                    + "\(place.store.location) holds \(expected)",
                hint: "correct --wal-source, or give the other cluster a prefix of its own")
        }
        guard isNewCluster else { return }
        throw CommandFailure(
            .configuration, "\(running.address) runs already, and a new cluster cannot follow its WAL",
            hint: "bring its data in by --snapshot-path, or protect its WAL alone by safekeeper init")
    }

    /// Makes its directory where there is none. The primary need not run yet: the repository tells whose WAL it will be.
    ///
    /// - Returns: What to tell the one who waits; nil where nothing was to be done.
    public func prepare() async throws -> String? {
        guard access(installation.directory.cluster.string, F_OK) != 0 else { return nil }
        let source = try installation.source()
        let place = try await ArchivePlace.open(installation.configuration)
        let primary: FoundPrimary
        let words: String
        do {
            primary = try FoundPrimary.find(source, expecting: place)
            words = "from \(primary.address) by the slot \(source.slot)"
        } catch let error as ReplicationError {
            guard error.code == .unavailable, let expected = FoundPrimary.expected(by: place) else { throw error }
            primary = expected
            words = "as soon as there is a server at wal_source: \(error.message)"
        }
        try installation.makeDirectories()
        try installation.write(primary, place)
        return "WAL is received \(words)"
    }

    /// - Parameter arguments: The command line that makes this program serve it in the foreground.
    /// - Returns: The process and its log; nil where it runs already.
    public func start(_ arguments: [String]) throws -> (pid: Int32, logFile: String)? {
        guard pid == nil else { return nil }
        return (try Daemon.start(arguments: arguments, logFile: installation.logFile), installation.logFile)
    }

    /// Serves, as the process that `start` has made.
    public func serve() async throws {
        try await SafekeeperDaemon(installation: installation, cluster: try installation.cluster()).serve()
    }

    public var report: SafekeeperReport { SafekeeperReport(installation) }

    public var pid: Int32? { PidFile.holder(directory: directory, name: SafekeeperInstallation.daemonName) }

    private static let interval = Duration.seconds(1)
    private static let longestPause = Duration.seconds(60)

    /// Starts it again whenever it has ended, until the task is cancelled.
    public func keepRunning(_ arguments: [String], logger: Logger) async throws {
        var pause = Self.interval
        var child: Int32?
        while true {
            try await Task.sleep(for: pause)
            do {
                // The last one that was started from here is to be collected.
                if let child, pid == nil { waitpid(child, nil, WNOHANG) }
                let started = try await BlockingWork.run { _ in try start(arguments) }
                pause = Self.interval
                if let started {
                    child = started.pid
                    logger.error("the safekeeper had ended; started again (pid \(started.pid))")
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.error("the safekeeper has ended, and cannot be started: \(CommandFailure(error).message)")
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    /// - Returns: Whether it was running.
    public func stop(_ mode: Daemon.StopMode) throws(CommandFailure) -> Bool {
        try Daemon.stop(directory: directory, name: SafekeeperInstallation.daemonName, mode: mode)
    }
}
