public import Logging
import ObjectStorage
import PostgresFormat
public import ReplicationServer
import SystemPackage
public import WALArchive
public import WALStore

/// The safekeeper: WAL comes in from the primary, is kept, is served, and goes to storage.
public final class SafekeeperService: Sendable {
    public struct Settings: Sendable {
        public var source: WALReceiver.Source
        public var server: ReplicationServerConfiguration
        /// The primary's, as `server_version` and `server_version_num`: consumers are told the same.
        public var serverVersion: String
        public var serverVersionNumber: Int
        /// Nil: WAL stays here.
        public var archive: WALArchiveWriter?
        public var workers: Int

        public init(
            source: WALReceiver.Source, server: ReplicationServerConfiguration, serverVersion: String,
            serverVersionNumber: Int, archive: WALArchiveWriter?, workers: Int
        ) {
            self.source = source
            self.server = server
            self.serverVersion = serverVersion
            self.serverVersionNumber = serverVersionNumber
            self.archive = archive
            self.workers = workers
        }
    }

    public let store: WALStore
    private let receiver: WALReceiver
    private let server: ReplicationServer
    private let offloader: WALOffloader?
    private let slots: SlotTable
    private let retention: WALRetention?
    private let logger: Logger

    /// Opens what is in `directory`. It blocks.
    public init(
        directory: SafekeeperDirectory, identity: ClusterIdentity, settings: Settings, logger: Logger
    ) throws {
        store = try WALStore(path: directory.wal, identity: identity)
        slots = try SlotTable(file: directory.slots.string)
        receiver = WALReceiver(source: settings.source, store: store, logger: logger)
        let source = LocalWALSource(
            store: store, slots: slots, archive: settings.archive?.reader, serverVersion: settings.serverVersion,
            serverVersionNumber: settings.serverVersionNumber, fetchDirectory: directory.fetched.string)
        server = ReplicationServer(configuration: settings.server, source: source, logger: logger)
        offloader = settings.archive.map { [store] archive in
            WALOffloader(store: store, archive: archive, parallel: settings.workers, logger: logger)
        }
        retention = offloader.map { [store, slots] offloader in
            WALRetention(store: store, slots: slots, offloader: offloader, logger: logger)
        }
        self.logger = logger
    }

    /// Returns when consumers can connect.
    public func awaitListening() async throws -> ReplicationServer.Address { try await server.boundAddress }

    /// Works until the task is cancelled.
    ///
    /// - Throws: When it cannot listen, or cannot go on. `CancellationError` in the end.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [server] in try await server.run() }
            group.addTask { [receiver] in await receiver.run() }
            if let offloader { group.addTask { try await offloader.run() } }
            group.addTask { [self] in try await tidyUp() }
            defer { store.close() }
            try await group.next()
            group.cancelAll()
        }
    }

    private static let tidyingInterval = Duration.seconds(5)

    private func tidyUp() async throws {
        while true {
            try await Task.sleep(for: Self.tidyingInterval)
            do {
                try await BlockingWork.run { [slots, retention] _ in
                    try slots.save()
                    try retention?.removeUnneeded()
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.error("cannot tidy up: \(error)")
            }
        }
    }

    /// How it is now.
    public var status: SafekeeperStatus {
        SafekeeperStatus(
            receiver: receiver.status, position: store.position, offload: offloader?.status, slots: slots.all,
            consumers: server.consumers(), diskFreeBytes: freeBytes(store.path.string))
    }
}
