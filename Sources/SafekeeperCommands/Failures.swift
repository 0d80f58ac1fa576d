// What errors of the modules below mean for the one who ran the command.

public import CommandKit
public import ReplicationClient
public import ReplicationServer
public import WALStore

extension ReplicationError: CommandFailureConvertible {
    public var commandFailure: CommandFailure {
        switch code {
        case .unavailable where message.contains("max_wal_senders"):
            CommandFailure(.configuration, message, hint: "raise max_wal_senders, and restart the primary")
        case .unavailable:
            CommandFailure(.unavailable, message, hint: "look whether the server runs, and at wal_source")
        case .denied:
            CommandFailure(
                .permission, message,
                hint:
                    "the role needs REPLICATION, pg_hba.conf a line for the database replication; passwords come from "
                    + "PGPASSWORD or a password file")
        case .refused: CommandFailure(.failed, message)
        case .garbled: CommandFailure(.badData, message)
        }
    }
}

extension WALStoreError: CommandFailureConvertible {
    public var commandFailure: CommandFailure {
        switch self {
        case .full, .removed: CommandFailure(.failed, description)
        case .io(let action, let code): CommandFailure(code, action)
        case .damaged, .diverged: CommandFailure(.badData, description)
        }
    }
}

extension CertificateError: CommandFailureConvertible {
    public var commandFailure: CommandFailure { CommandFailure(.configuration, description) }
}
