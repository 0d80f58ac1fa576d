public import ArgumentParser

/// `wal`: what lies in WAL, wherever it is.
public struct WALCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "wal", abstract: "Look into WAL, in a directory or in a storage.",
        discussion: """
            PATH is a directory with segments (a cluster, its pg_wal, a safekeeper's wal/), one segment, or a storage: \
            that of a repository, or one in WAL-G's layout. Segments may be packed with zstd or lz4. Nothing there is \
            written; index writes page indexes beside it.

            Examples:
              zenith wal dump /var/lib/postgresql/15/main/pg_wal --limit 20
              zenith wal stats s3://backups/orders --start 0/3000000 --end 0/5000000
              zenith wal index s3://backups/orders
              zenith wal verify /var/backups/base s3://backups/orders
            """,
        subcommands: [WALDumpCommand.self, WALStatsCommand.self, WALVerifyCommand.self, WALIndexCommand.self])

    public init() {}
}
