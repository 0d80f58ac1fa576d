import Synchronization
import WALArchive

/// What is being fetched now, and where the archive ended.
final class Running: Sendable {
    private struct State {
        var names: Set<WALFileName> = []
        /// Those that PostgreSQL has not passed yet, as far as is known: it may just be taking one away.
        var fetched: Set<WALFileName> = []
        var failed: WALFileName?
    }
    private let state = Mutex(State())

    enum Beginning { case begun, underWay, no }

    /// Notes that `name` is being fetched, if it may be: it is not under way or done, there is a place for it, and all before
    /// it were there.
    func begin(_ name: WALFileName, limit: Int) -> Beginning {
        state.withLock { state in
            if state.names.contains(name) || state.fetched.contains(name) { return .underWay }
            if let failed = state.failed, failed <= name { return .no }
            guard state.names.count < limit else { return .no }
            state.names.insert(name)
            return .begun
        }
    }

    func end(_ name: WALFileName, isThere: Bool) {
        state.withLock { state in
            state.names.remove(name)
            if isThere { state.fetched.insert(name) } else { state.failed = min(state.failed ?? name, name) }
        }
    }

    /// PostgreSQL asked for `name`. The archive may have got more since; and who goes back asks for the same again.
    func passed(_ name: WALFileName, before: WALFileName?) {
        state.withLock { state in
            state.failed = nil
            let goesOn = before.map { $0.timeline == name.timeline && $0 < name } ?? false
            state.fetched = goesOn ? state.fetched.filter { $0 > name } : []
        }
    }
}
