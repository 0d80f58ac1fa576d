public import Logging
import ObjectStorage
import PostgresFormat
public import ReplicationServer
import SystemPackage
public import WALArchive
public import WALIndexes
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
        /// Where page indexes go beside it. Nil: they stay here.
        public var indexes: WALIndexWriter?
        public var workers: Int
        /// How often the segment that is being written goes to the archive.
        public var offloadInterval: Duration
        /// How much WAL may be here, as far as the archive has it, in bytes.
        public var localWALBytes: Int

        public init(
            source: WALReceiver.Source, server: ReplicationServerConfiguration, serverVersion: String,
            serverVersionNumber: Int, archive: WALArchiveWriter?, indexes: WALIndexWriter?, workers: Int,
            offloadInterval: Duration, localWALBytes: Int
        ) {
            self.source = source
            self.server = server
            self.serverVersion = serverVersion
            self.serverVersionNumber = serverVersionNumber
            self.archive = archive
            self.indexes = indexes
            self.workers = workers
            self.offloadInterval = offloadInterval
            self.localWALBytes = localWALBytes
        }
    }

    public let store: WALStore
    private let receiver: WALReceiver
    private let server: ReplicationServer
    private let offloader: WALOffloader?
    private let indexer: WALIndexer
    private let slots: SlotTable
    private let record: OffloadRecord?
    private let retention: WALRetention?
    private let offloadInterval: Duration
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
        let record = settings.archive.map {
            OffloadRecord(file: directory.offloaded, archive: $0.reader.description)
        }
        offloader = settings.archive.flatMap { [store] archive in
            record.map {
                WALOffloader(store: store, archive: archive, record: $0, parallel: settings.workers, logger: logger)
            }
        }
        self.record = record
        indexer = WALIndexer(
            store: store, directory: directory.walIndex, archive: settings.indexes,
            canFollow: { [offloader] segment in offloader.map { $0.has(segment) && !$0.isBehind } ?? false },
            logger: logger)
        retention = offloader.map { [store, slots, server, indexer] offloader in
            WALRetention(
                store: store, slots: slots, consumers: { server.consumers() }, offloader: offloader, indexer: indexer,
                limitBytes: settings.localWALBytes, logger: logger)
        }
        offloadInterval = settings.offloadInterval
        self.logger = logger
    }

    /// Returns when consumers can connect.
    public func awaitListening() async throws -> ReplicationServer.Address { try await server.boundAddress }

    /// Takes over the users and the certificate of the replication port, for connections from now on.
    ///
    /// - Throws: When the certificate or its key cannot be used; then all stays as it was.
    public func reload(_ configuration: ReplicationServerConfiguration) throws { try server.reload(configuration) }

    /// How long the end waits for a storage.
    private static let patience = Duration.seconds(30)

    /// Works until the task is cancelled. Then it brings into storage what is only here, if the storage answers.
    ///
    /// - Throws: When it cannot listen, or cannot go on.
    public func run() async throws {
        do { try await work() } catch is CancellationError {}
        guard let offloader else { return }
        let finishing = Task.detached { [indexer] in
            await offloader.finish()
            await indexer.finish()
        }
        let limit = Task.detached {
            try await Task.sleep(for: Self.patience)
            finishing.cancel()
        }
        await finishing.value
        limit.cancel()
    }

    private func work() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [server] in try await server.run() }
            // Nothing is acknowledged by a safekeeper that is about to give up.
            _ = try await server.boundAddress
            group.addTask { [receiver] in await receiver.run() }
            if let offloader {
                group.addTask { try await offloader.run() }
                group.addTask { [offloadInterval] in try await offloader.runUnfinished(every: offloadInterval) }
            }
            group.addTask { [indexer] in try await indexer.run() }
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
                try await BlockingWork.run { [slots, record, retention] _ in
                    try slots.save()
                    try retention?.removeUnneeded()
                    try record?.save()
                }
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.error("cannot tidy up: \(error)")
            }
        }
    }

    /// How it is now. It looks at the disk, and so blocks for a moment.
    public var status: SafekeeperStatus {
        get throws {
            SafekeeperStatus(
                receiver: receiver.status, position: store.position, offload: offloader?.status,
                indexing: indexer.status,
                slots: slots.all,
                consumers: server.consumers(), segments: try store.segments(),
                segmentSize: store.identity.segmentSize, diskFreeBytes: freeBytes(store.path.string))
        }
    }
}
