import FoundationEssentials
public import Logging

/// Every setting there is. Each one can be given as an option, as an environment variable, or in the file.
public enum Settings {
    public static let storageDest = Setting<StorageText>(
        "storage_dest", "Storage where snapshots and WAL are kept", example: "s3://bucket/prefix")
    public static let timeline = Setting<String>(
        "timeline", "Timeline to work on, by name or id", default: "main")
    public static let snapshotInterval = Setting<Duration>(
        "snapshot_interval", "Longest time between two snapshots; takes effect with WAL, which is not received yet",
        default: .seconds(300),
        check: { $0 < .seconds(1) ? "is less than 1s" : nil })
    public static let snapshotWAL = Setting<ByteSize>(
        "snapshot_wal",
        "Amount of WAL after which a snapshot is taken; takes effect with WAL, which is not received yet",
        default: ByteSize(bytes: 1 << 30),
        check: { $0.bytes < 1 << 20 ? "is less than 1MB" : nil })
    public static let walSource = Setting<ConnectionInfo>(
        "wal_source", "Primary to receive WAL from; so far the safekeeper does",
        example: "host=db1 user=replicator")
    public static let name = Setting<String>(
        "name", "What the primary calls this safekeeper, for synchronous_standby_names", default: "safekeeper",
        check: { isIdentifier($0) ? nil : "is not made of a to z, 0 to 9 and _" })
    public static let slot = Setting<String>(
        "slot", "Replication slot that holds WAL on the primary while the safekeeper is away; made where missing",
        defaultWords: "the safekeeper's name", example: "safekeeper",
        check: { isIdentifier($0) ? nil : "is not made of a to z, 0 to 9 and _" })
    public static let pgBin = Setting<LocalPath>(
        "pg_bin", "Directory of PostgreSQL's programs",
        defaultWords: "that of pg_config, else the newest that is installed", example: "/usr/lib/postgresql/17/bin")
    public static let pgUser = Setting<String>(
        "pg_user", "User that PostgreSQL's programs run as, and that exports belong to, when started as root",
        default: "postgres")
    public static let listenHTTP = Setting<ListenAddress>(
        "listen_http", "Address for the pageserver's status and metrics over HTTP; off serves none",
        default: .on(HostPort(host: "127.0.0.1", port: 9898)))
    public static let listenPG = Setting<HostPort>(
        "listen_pg", "Address where the pageserver speaks PostgreSQL's replication protocol; kept for later",
        default: HostPort(host: "127.0.0.1", port: 6400))
    public static let safekeeperListenHTTP = Setting<ListenAddress>(
        "safekeeper_listen_http",
        "Address for the safekeeper's status and metrics over HTTP; off serves none. `safekeeper` takes it as "
            + "--listen-http, too",
        default: .on(HostPort(host: "127.0.0.1", port: 7676)))
    public static let safekeeperListenPG = Setting<HostPort>(
        "safekeeper_listen_pg",
        "Address where the safekeeper speaks PostgreSQL's replication protocol. `safekeeper` takes it as --listen-pg, "
            + "too",
        default: HostPort(host: "127.0.0.1", port: 5454))
    public static let authFile = Setting<LocalPath>(
        "auth_file",
        "File of those who may take WAL: a line each, \"name\" \"SCRAM-SHA-256$…\"; read again on SIGHUP",
        defaultWords: "none: whoever connects from this machine may, and nobody else",
        example: "/etc/zenith/users.txt")
    public static let sslCertFile = Setting<LocalPath>(
        "ssl_cert_file", "PEM file of the certificate for PostgreSQL's protocol; read again on SIGHUP",
        defaultWords: "none: no TLS", example: "/etc/zenith/server.crt")
    public static let sslKeyFile = Setting<LocalPath>(
        "ssl_key_file", "PEM file of the certificate's key", example: "/etc/zenith/server.key")
    public static let workers = Setting<Int>(
        "workers", "Workers that pack, hash and transfer at the same time", default: processorCount(),
        defaultWords: "the number of processors", example: "4",
        check: { (1...1024).contains($0) ? nil : "is not in 1 … 1024" })
    public static let compressionLevel = Setting<Int>(
        "compression_level", "Level of zstd, from -7, fast, to 19, small", default: 1,
        check: { (-7...19).contains($0) ? nil : "is not in -7 … 19" })
    public static let walCompression = Setting<String>(
        "wal_compression", "How WAL is compressed in storage: zstd or lz4", default: "zstd",
        check: { ["zstd", "lz4"].contains($0) ? nil : "is neither zstd nor lz4" })
    public static let offloadInterval = Setting<Duration>(
        "offload_interval", "Longest time for which WAL is on the safekeeper's disk alone", default: .seconds(60),
        check: { $0 < .seconds(1) ? "is less than 1s" : nil })
    public static let localWALSize = Setting<ByteSize>(
        "local_wal_size",
        "Local disk space of a safekeeper for WAL that storage has; beyond it, what a slot holds is read back from there",
        default: ByteSize(bytes: 16 << 30),
        check: { $0.bytes < 16 << 20 ? "is less than 16MB" : nil })
    public static let cacheSize = Setting<ByteSize>(
        "cache_size", "Local disk space for frames fetched from storage", default: ByteSize(bytes: 1 << 30),
        check: { $0.bytes < 16 << 20 ? "is less than 16MB" : nil })
    public static let logLevel = Setting<Logger.Level>(
        "log_level", "How much is logged: trace, debug, info, notice, warning, error or critical", default: .info)
    public static let logFile = Setting<LocalPath>(
        "log_file", "File that a daemon logs to",
        defaultWords: "pageserver.log or safekeeper.log in the installation's directory",
        example: "/var/log/zenith.log")

    /// In the order of the documentation and of the file.
    public static let all: [any SettingDeclaration] = [
        storageDest, timeline, snapshotInterval, snapshotWAL, walSource, name, slot, pgBin, pgUser, listenHTTP,
        listenPG, safekeeperListenHTTP, safekeeperListenPG, authFile, sslCertFile, sslKeyFile, workers,
        compressionLevel, walCompression, offloadInterval, localWALSize, cacheSize, logLevel, logFile,
    ]

    /// Options that are used once and never saved; a file that has them is told so.
    static let neverSaved = ["snapshot_path", "snapshot_format", "snapshot_name"]

    /// Whether PostgreSQL takes it for the name of a slot.
    private static func isIdentifier(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count < 64
            && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
    }

    /// Processors that this process may use.
    static func processorCount() -> Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }
}
