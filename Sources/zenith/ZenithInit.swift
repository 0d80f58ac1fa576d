import ArgumentParser
import CommandKit
import PageserverCommands
import SafekeeperCommands

/// `zenith init`: the pageserver's, and with --wal-source the safekeeper's.
struct ZenithInit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: InitCommand.configuration.abstract,
        discussion: InitCommand.configuration.discussion + """


            With --wal-source, a safekeeper is made beside it, which start runs: it receives the primary's WAL. The
            primary need not run yet.
              zenith init --storage-dest s3://backups/orders --snapshot-path /var/lib/postgresql/15/main \\
                          --snapshot-format pgdata --wal-source 'host=db1 user=replicator'
            """)

    @OptionGroup var pageserver: InitCommand
    @OptionGroup var receiver: ReceiverOptions
    @OptionGroup var wal: WALOptions

    func run() async throws { try await initialize(pageserver, further: [receiver, wal]) }
}

/// Makes the installation, and the safekeeper beside the pageserver where there is to be one.
func initialize(_ pageserver: InitCommand, further: [any SettingSource]) async throws {
    let options = [pageserver.common] + pageserver.options + further
    let configuration = try Configuration.load(directory: pageserver.common.directory, options: options)
    let safekeeper = SafekeeperBeside(configuration)
    try await safekeeper?.check(isNewCluster: pageserver.source.snapshotPath == nil)
    try await pageserver.initialize(further)
    if let words = try await safekeeper?.prepare() { StandardOutput.line("  wal       \(words)") }
}
