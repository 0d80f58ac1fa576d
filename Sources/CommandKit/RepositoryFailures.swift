public import Snapshots

// Both daemons work on repositories, and one program may hold both.
extension RepositoryError: CommandFailureConvertible {
    public var commandFailure: CommandFailure {
        switch self {
        case .damaged(let text): CommandFailure(.badData, text)
        case .taken(let text): CommandFailure(.outputExists, text)
        case .absent(let text), .noSuchSnapshot(let text), .noSuchTimeline(let text), .needed(let text),
            .superseded(let text):
            CommandFailure(.failed, text)
        }
    }
}
