import FoundationEssentials
import Synchronization
import SystemPackage
import WALArchive
import WALStore

/// Which of the files that are here the archive has. It is kept in a file, so that a restart does not read them all
/// back to compare them.
final class OffloadRecord: Sendable {
    private struct Content: Codable {
        /// What is recorded holds for this archive alone.
        let archive: String
        let names: [String]
    }
    private struct State {
        var names: Set<WALFileName> = []
        /// From the file, and not looked for since the start.
        var recorded: Set<WALFileName>
        var isChanged = false
    }
    private let file: FilePath
    private let archive: String
    private let state: Mutex<State>

    /// It blocks. A record that cannot be read is none: the files are compared again. What it says counts after
    /// `confirm`.
    init(file: FilePath, archive: String) {
        self.file = file
        self.archive = archive
        let content = FileManager.default.contents(atPath: file.string).flatMap {
            try? JSONDecoder().decode(Content.self, from: $0)
        }
        let names = content.flatMap { $0.archive == archive ? $0.names : nil } ?? []
        state = Mutex(State(recorded: Set(names.compactMap { WALFileName($0) })))
    }

    /// What the file says and nobody has looked for; empty after `confirm`.
    var recorded: Set<WALFileName> { state.withLock(\.recorded) }

    /// Takes what the file says for true, as far as it is in the archive's listing: the archive may have been emptied, or
    /// another one put in its place.
    func confirm(_ listed: Set<WALFileName>) {
        state.withLock { state in
            state.names.formUnion(state.recorded.intersection(listed))
            state.recorded = []
            state.isChanged = true
        }
    }

    var names: Set<WALFileName> { state.withLock(\.names) }
    func contains(_ name: WALFileName) -> Bool { state.withLock { $0.names.contains(name) } }

    func insert(_ name: WALFileName) {
        state.withLock { if $0.names.insert(name).inserted { $0.isChanged = true } }
    }

    func remove(_ names: some Sequence<WALFileName>) {
        state.withLock { state in
            for name in names where state.names.remove(name) != nil { state.isChanged = true }
        }
    }

    /// Writes what has changed. It blocks.
    func save() throws {
        let names: Set<WALFileName>? = state.withLock { state in
            defer { state.isChanged = false }
            return state.isChanged ? state.names : nil
        }
        guard let names else { return }
        do {
            let content = Content(archive: archive, names: names.map(\.text).sorted())
            try writeDurably(Array(try JSONEncoder().encode(content)), to: file)
        } catch {
            state.withLock { $0.isChanged = true }
            throw error
        }
    }
}
