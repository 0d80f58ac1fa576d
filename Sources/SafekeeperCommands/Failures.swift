// What errors of the modules below mean for the one who ran the command.

public import CommandKit
public import Snapshots
public import WALArchive

extension WALArchiveError: CommandFailureConvertible {
    public var commandFailure: CommandFailure {
        switch self {
        case .conflict(let text):
            CommandFailure(
                .outputExists, text, hint: "find out which server is the right one before anything is removed")
        case .damaged(let text): CommandFailure(.badData, text)
        case .unreadable(let text): CommandFailure(.failed, text)
        case .file(let text, let error): CommandFailure(error, text)
        }
    }
}

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
