public import PostgresFormat

/// One connection as a status page shows it. What clients name themselves is printable ASCII here.
public struct ReplicationConsumer: Sendable, Hashable {
    public enum State: String, Sendable {
        /// Not authenticated yet.
        case startup
        /// Waits for a command.
        case idle
        /// Takes WAL, and has not got all there is.
        case catchup
        /// Has been sent all there is.
        case streaming
    }

    /// What clients take for the server's process id.
    public var id: Int32
    public var user = ""
    public var applicationName = ""
    /// Address and port of the client.
    public var address: String
    public var isEncrypted = false
    public var state = State.startup
    /// The slot in use.
    public var slot: String?
    /// Behind the last byte sent; nil before the first `START_REPLICATION`.
    public var sentLSN: LSN?
    /// What the consumer says that it has written, has on disk, and has replayed; nil until it says so.
    public var writtenLSN: LSN?
    public var flushedLSN: LSN?
    public var appliedLSN: LSN?
    /// Seconds since 1970.
    public var connectedAt: Int64
}
