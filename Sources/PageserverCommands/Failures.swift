// What errors of the modules below mean for the one who ran the command.

public import CommandKit
public import Interchange
public import Snapshots
import SystemPackage

extension InterchangeError: CommandFailureConvertible {
    public var commandFailure: CommandFailure {
        switch self {
        case .refused(let text): CommandFailure(.failed, text)
        case .corrupt(let text): CommandFailure(.badData, text)
        case .exists(let text): CommandFailure(.outputExists, text)
        case .io(let text): CommandFailure(.failed, text)
        }
    }
}

extension SnapshotFormatError: CommandFailureConvertible {
    public var commandFailure: CommandFailure { CommandFailure(.badData, description) }
}

extension LocalFileError: CommandFailureConvertible {
    public var commandFailure: CommandFailure { CommandFailure(code, action) }
}
