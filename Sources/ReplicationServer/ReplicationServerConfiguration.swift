/// Settings of a `ReplicationServer`.
public struct ReplicationServerConfiguration: Sendable {
    /// The certificate that the server shows, and its key.
    public struct TLS: Sendable, Hashable {
        /// A PEM file: the server's certificate, then those that lead to the root.
        public var certificateFile: String
        /// A PEM file without a passphrase.
        public var privateKeyFile: String
        /// Connections without TLS are refused.
        public var isRequired: Bool

        public init(certificateFile: String, privateKeyFile: String, isRequired: Bool = false) {
            self.certificateFile = certificateFile
            self.privateKeyFile = privateKeyFile
            self.isRequired = isRequired
        }
    }

    /// A name or an address to listen on.
    public var host: String
    /// 0 takes a free one; `ReplicationServer.boundAddress` tells which.
    public var port: Int
    /// Nil: TLS is not offered.
    public var tls: TLS?
    /// Who may connect, with a password.
    public var users: [String: SCRAMVerifier]
    /// Connections from this machine's loopback addresses need no password, whatever user they name.
    public var trustsLoopback: Bool
    /// Connections at the same time; more are refused with PostgreSQL's error 53300.
    public var connectionLimit: Int
    /// How long a connection may take to start up and to authenticate itself, PostgreSQL's `authentication_timeout`.
    public var startupTimeout: Duration
    /// PostgreSQL's `wal_sender_timeout`: a consumer that says nothing for so long is disconnected. After half of it, it
    /// is asked for an answer.
    public var senderTimeout: Duration

    public init(
        host: String = "127.0.0.1", port: Int, tls: TLS? = nil, users: [String: SCRAMVerifier] = [:],
        trustsLoopback: Bool = false, connectionLimit: Int = 100, startupTimeout: Duration = .seconds(60),
        senderTimeout: Duration = .seconds(60)
    ) {
        self.host = host
        self.port = port
        self.tls = tls
        self.users = users
        self.trustsLoopback = trustsLoopback
        self.connectionLimit = connectionLimit
        self.startupTimeout = startupTimeout
        self.senderTimeout = senderTimeout
    }
}
