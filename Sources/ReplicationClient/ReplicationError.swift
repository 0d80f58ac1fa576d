/// Why a replication connection failed.
public struct ReplicationError: Error, Sendable, CustomStringConvertible {
    /// What a caller decides by.
    public enum Code: Sendable, Equatable {
        /// Not reachable, or the connection broke: try again.
        case unavailable
        /// Password, certificate or role is refused; also by `pg_hba.conf`.
        case denied
        /// The server refuses what was asked, for a reason that has this SQLSTATE.
        case refused(state: String)
        /// The server says what the protocol does not have.
        case garbled
    }
    public let code: Code
    public let message: String
    public var description: String { message }

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// "requested WAL segment … has already been removed", or, from 18 on, "can no longer access replication slot".
    public var isRemovedWAL: Bool {
        code == .refused(state: "58P01") || message.contains("already been removed")
            || message.contains("can no longer access replication slot")
    }
    /// The slot is there already.
    public var isDuplicate: Bool { code == .refused(state: "42710") }
}
