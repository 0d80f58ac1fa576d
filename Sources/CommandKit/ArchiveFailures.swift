public import WALArchive

extension WALArchiveError: CommandFailureConvertible {
    public var commandFailure: CommandFailure {
        switch self {
        case .conflict(let text):
            CommandFailure(
                .outputExists, text, hint: "find out which server is the right one before anything is removed")
        case .damaged(let text): CommandFailure(.badData, text)
        case .absent(let text), .unreadable(let text): CommandFailure(.failed, text)
        case .file(let text, let error): CommandFailure(error, text)
        }
    }
}
