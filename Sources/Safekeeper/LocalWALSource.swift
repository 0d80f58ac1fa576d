import Glibc
import Logging
import ObjectStorage
import PostgresFormat
import ReplicationServer
import Synchronization
import SystemPackage
import WALArchive
import WALStore

/// What the replication server sends: the WAL of a store, and what was removed from it, out of the archive.
final class LocalWALSource: WALSource {
    let identity: WALIdentity
    private let store: WALStore
    private let slots: SlotTable
    private let archive: WALArchiveReader?
    /// Where segments from the archive are, for as long as somebody reads them.
    private let fetchDirectory: String

    init(
        store: WALStore, slots: SlotTable, archive: WALArchiveReader?, serverVersion: String, serverVersionNumber: Int,
        fetchDirectory: String
    ) {
        self.store = store
        self.slots = slots
        self.archive = archive
        self.fetchDirectory = fetchDirectory
        identity = WALIdentity(
            systemIdentifier: store.identity.systemIdentifier, segmentSize: store.identity.segmentSize,
            serverVersion: serverVersion, serverVersionNumber: serverVersionNumber)
    }

    func position() -> WALPosition {
        let position = store.position
        return WALPosition(timeline: position?.timeline ?? 1, flushedLSN: position?.flushed ?? .invalid)
    }

    func waitForWAL(beyond lsn: LSN, timeline: TimelineID) async throws {
        try await store.waitForWAL(beyond: lsn, timeline: timeline)
    }

    func status(of timeline: TimelineID) async throws -> TimelineStatus {
        let newest = position().timeline
        guard timeline != newest else { return .current }
        guard let content = try await history(of: newest) else { return .unknown }
        let history = try TimelineHistory(parsing: content, timeline: newest)
        guard let end = history.end(of: timeline), let next = history.successor(of: timeline) else { return .unknown }
        return .ended(next: next, switchLSN: end)
    }

    func history(of timeline: TimelineID) async throws -> [UInt8]? {
        try await BlockingWork.run { [store] _ in try store.history(of: timeline) }
    }

    func openSegment(_ segment: WALSegment) async throws -> WALSegmentFile {
        let path = store.file(of: segment).string
        if let file = try await Self.open(path, segment) { return file }
        guard let archive else { throw WALSourceError.removed }
        // Each reader has a copy of its own, without a name: it goes with the reader, however that ends.
        let copy = "\(fetchDirectory)/\(segment).\(UInt64.random(in: .min ... .max))"
        defer { unlink(copy) }
        do {
            guard case .fetched = try await archive.fetch(WALFileName(segment), to: copy) else {
                throw WALSourceError.removed
            }
        } catch let error as ObjectStoreError {
            throw WALSourceError.unavailable("segment \(segment) cannot be read back from storage: \(error)")
        }
        guard let file = try await Self.open(copy, segment) else { throw WALSourceError.removed }
        return file
    }

    private static func open(_ path: String, _ segment: WALSegment) async throws -> WALSegmentFile? {
        try await BlockingWork.run { _ in
            let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            if file >= 0 { return WALSegmentFile(segment, descriptor: file) }
            guard errno == ENOENT else {
                throw WALSourceError.unavailable("\(path): \(String(cString: strerror(errno)))")
            }
            return nil
        }
    }

    // MARK: - Slots

    func createSlot(_ name: String, isTemporary: Bool, reservesWAL: Bool) async throws {
        let position = reservesWAL ? position() : nil
        try await BlockingWork.run { [slots] _ in try slots.create(name, isTemporary: isTemporary, at: position) }
    }

    func slot(_ name: String) async throws -> WALSlot? { slots[name] }

    func dropSlot(_ name: String) async throws {
        try await BlockingWork.run { [slots] _ in try slots.drop(name) }
    }

    func confirm(slot name: String, flushedLSN: LSN) { slots.confirm(name, flushedLSN, newest: position()) }
}
