import Logging
import ObjectStorage
import PostgresFormat
import WALStore

/// Removes WAL that nobody needs here any more: it is in the archive, and below the position of every slot.
struct WALRetention: Sendable {
    let store: WALStore
    let slots: SlotTable
    let offloader: WALOffloader
    let logger: Logger

    /// Segments that stay in any case: who reconnects finds them here.
    private static let keptCount = 4

    /// It blocks.
    func removeUnneeded() throws {
        guard let position = store.position else { return }
        let needed = min(slots.oldest ?? position.flushed, position.flushed)
        let segments = try store.segments()
        let unneeded = segments.dropLast(Self.keptCount).filter { $0.endLSN <= needed && offloader.has($0) }
        guard !unneeded.isEmpty else { return }
        try store.remove(unneeded)
        offloader.forget(unneeded)
        logger.info("removed WAL that is in storage", metadata: ["segments": "\(unneeded.count)"])
    }
}
