import Logging
import PostgresFormat
import ReplicationServer
import Synchronization
import WALStore

/// Removes WAL that nobody needs here any more: it is in the archive, and every slot and consumer is past it. Where the
/// rest takes more than its share of the disk, what the archive has goes all the same, as it is read back from there.
final class WALRetention: Sendable {
    /// Who holds WAL here, and from where on.
    private struct Holder {
        let name: String
        let lsn: LSN
    }
    private enum Pressure { case none, warned, over, stuck }

    private let store: WALStore
    private let slots: SlotTable
    private let consumers: @Sendable () -> [ReplicationConsumer]
    private let offloader: WALOffloader
    private let indexer: WALIndexer
    private let limitBytes: Int
    private let logger: Logger
    /// What was said last.
    private let pressure = Mutex(Pressure.none)

    init(
        store: WALStore, slots: SlotTable, consumers: @escaping @Sendable () -> [ReplicationConsumer],
        offloader: WALOffloader, indexer: WALIndexer, limitBytes: Int, logger: Logger
    ) {
        self.store = store
        self.slots = slots
        self.consumers = consumers
        self.offloader = offloader
        self.indexer = indexer
        self.limitBytes = limitBytes
        self.logger = logger
    }

    /// Segments that stay in any case: who reconnects finds them here.
    private static let keptCount = 4
    /// Per cent of the limit from which on it is told.
    private static let warningLevel = 80

    /// It blocks.
    func removeUnneeded() throws {
        guard let position = store.position else { return }
        let holder = holders.min { $0.lsn < $1.lsn }
        let needed = min(holder?.lsn ?? position.flushed, position.flushed)
        let segments = try store.segments()
        let removable = segments.dropLast(Self.keptCount).filter { offloader.has($0) }
        let size = store.identity.segmentSize
        // While there is room, an index is made of a segment before it goes.
        let hasRoom = segments.count * size < limitBytes
        let unneeded = removable.filter { $0.endLSN <= needed && !(hasRoom && indexer.needs($0)) }
        // Those that a holder needs, the oldest first, as many as are too many.
        let excess = max(0, segments.count - unneeded.count - limitBytes / size)
        let evicted = removable.filter { $0.endLSN > needed }.prefix(excess)
        try remove(unneeded + evicted)
        tell(
            leftBytes: (segments.count - unneeded.count - evicted.count) * size, evicted: evicted.count, holder: holder)
    }

    private func remove(_ segments: [WALSegment]) throws {
        guard !segments.isEmpty else { return }
        try store.remove(segments)
        offloader.forget(segments)
        indexer.forget(segments)
        logger.info("removed WAL that is in storage", metadata: ["segments": "\(segments.count)"])
    }

    private var holders: [Holder] {
        slots.all.compactMap { name, slot in slot.restartLSN.map { Holder(name: "slot \(name)", lsn: $0) } }
            + consumers().compactMap { consumer in
                guard consumer.slot == nil, let lsn = consumer.flushedLSN ?? consumer.sentLSN, lsn != .invalid else {
                    return nil
                }
                return Holder(name: "consumer \(consumer.applicationName) at \(consumer.address)", lsn: lsn)
            }
    }

    /// Says once what has become of it, until it changes.
    private func tell(leftBytes: Int, evicted: Int, holder: Holder?) {
        let new: Pressure =
            leftBytes > limitBytes
            ? .stuck : evicted > 0 ? .over : leftBytes > limitBytes / 100 * Self.warningLevel ? .warned : .none
        let old = pressure.withLock { state in
            // Between two segments it may be either; what was said of the limit counts until it is out of sight.
            defer { state = new == .warned && state == .over ? .over : new }
            return state
        }
        guard new != old, !(new == .warned && old != .none) else { return }
        let held = holder.map { "; \($0.name) holds it from \($0.lsn) on" } ?? ""
        let sizes = "\(leftBytes >> 20) MB of local_wal_size, \(limitBytes >> 20) MB"
        switch new {
        case .none: logger.notice("WAL here takes \(sizes), again")
        case .warned: logger.warning("WAL here takes \(sizes)\(held)")
        case .over: logger.warning("WAL here has reached \(sizes)\(held), and will read it back from storage")
        case .stuck:
            let why = offloader.status.lastError.map { ": \($0)" } ?? " yet"
            logger.error("WAL here takes \(sizes), and cannot be removed, as storage does not have it\(why)")
        }
    }
}
