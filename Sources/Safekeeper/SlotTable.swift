import FoundationEssentials
import PostgresFormat
import ReplicationServer
import Synchronization
import SystemPackage
import WALStore

/// The physical slots of those who take WAL from here: WAL that one of them has not confirmed stays on the disk.
///
/// Slots are in a file of their own, written when one is made or dropped, and now and then as they move on: after a
/// crash a slot may hold more than it needs to, never less. Temporary ones are in no file.
final class SlotTable: Sendable {
    private struct Entry: Codable {
        var restartLSN: String?
        var restartTimeline: TimelineID?
    }
    private struct State {
        var slots: [String: WALSlot] = [:]
        var temporary: Set<String> = []
        /// Those that belong in the file.
        var lasting: [String: WALSlot] { slots.filter { !temporary.contains($0.key) } }
    }

    private static let limit = 100
    private let file: String
    private let state: Mutex<State>
    /// What the file has; nil where that is not known. Who writes the file holds it.
    private let written: Mutex<[String: WALSlot]?>

    /// It blocks.
    init(file: String) throws {
        self.file = file
        var state = State()
        if let content = FileManager.default.contents(atPath: file) {
            let entries = try JSONDecoder().decode([String: Entry].self, from: content)
            state.slots = entries.mapValues {
                WALSlot(restartLSN: $0.restartLSN.flatMap { LSN($0) }, restartTimeline: $0.restartTimeline)
            }
        }
        written = Mutex(state.slots)
        self.state = Mutex(state)
    }

    subscript(name: String) -> WALSlot? { state.withLock { $0.slots[name] } }
    var all: [String: WALSlot] { state.withLock(\.slots) }

    /// It blocks.
    ///
    /// - Throws: When there is one of the name, or too many; when it cannot be written: then there is none.
    func create(_ name: String, isTemporary: Bool, at position: WALPosition?) throws {
        try state.withLock { state in
            guard state.slots[name] == nil else { throw WALSourceError.slotExists }
            guard state.slots.count < Self.limit else { throw WALSourceError.tooManySlots }
            state.slots[name] = WALSlot(restartLSN: position?.flushedLSN, restartTimeline: position?.timeline)
            if isTemporary { state.temporary.insert(name) }
        }
        if isTemporary { return }
        do { try save() } catch {
            _ = state.withLock { $0.slots.removeValue(forKey: name) }
            throw error
        }
    }

    /// It blocks.
    ///
    /// - Throws: When there is none; when the file cannot be written: then the slot is back after a crash.
    func drop(_ name: String) throws {
        let wasTemporary = try state.withLock { state in
            guard state.slots.removeValue(forKey: name) != nil else { throw WALSourceError.noSuchSlot }
            return state.temporary.remove(name) != nil
        }
        if !wasTemporary { try save() }
    }

    /// - Parameter newest: Of what is here: whoever says more is not believed.
    func confirm(_ name: String, _ lsn: LSN, newest: WALPosition) {
        guard lsn != .invalid else { return }
        state.withLock { state in
            guard var slot = state.slots[name] else { return }
            slot.restartLSN = max(slot.restartLSN ?? .invalid, min(lsn, newest.flushedLSN))
            slot.restartTimeline = newest.timeline
            state.slots[name] = slot
        }
    }

    /// Writes what has changed. It blocks.
    func save() throws {
        try written.withLock { written in
            let lasting = state.withLock(\.lasting)
            guard lasting != written else { return }
            let entries = lasting.mapValues {
                Entry(restartLSN: $0.restartLSN?.description, restartTimeline: $0.restartTimeline)
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            written = nil
            try writeDurably(Array(try encoder.encode(entries)), to: FilePath(file))
            written = lasting
        }
    }
}
