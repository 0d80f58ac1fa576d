/// The exit codes of every command. They are a contract: scripts decide by them.
public enum ExitStatus: Int32, Sendable, CaseIterable {
    case done = 0
    /// Failed, for a reason that has no code of its own.
    case failed = 1
    /// Unknown option, missing value, contradictory options.
    case usage = 64
    /// A snapshot, an archive or WAL that fails its checks.
    case badData = 65
    /// Storage or PostgreSQL is not reachable, after retries.
    case unavailable = 69
    /// The output exists already.
    case outputExists = 73
    /// `wal-fetch`: no such file in the archive.
    case notInArchive = 74
    /// Try again: a lock is held, a daemon is still starting.
    case temporary = 75
    /// Credentials missing, refused or insufficient; a file that may not be read or written.
    case permission = 77
    /// The configuration is unreadable, has an unknown key, or contradicts itself.
    case configuration = 78
}
