import ArgumentParser
import CommandKit
import SafekeeperCommands

/// The daemon that makes WAL durable, and what belongs to it.
struct Safekeeper: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "safekeeper", abstract: "Keeps a cluster's WAL: on disk at once, in storage soon.",
        version: zenithVersion,
        subcommands: [
            SafekeeperInitCommand.self, SafekeeperStartCommand.self, SafekeeperStopCommand.self,
            SafekeeperStatusCommand.self, WALPushCommand.self, WALFetchCommand.self, WALShowCommand.self,
            WALPrefetchCommand.self,
            ConfigCommand<SafekeeperPart>.self,
        ])
}

@main
enum Main {
    static func main() async { await launch(Safekeeper.self) }
}
