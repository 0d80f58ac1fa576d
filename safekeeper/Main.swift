import ArgumentParser
import CommandKit
import SafekeeperCommands

/// The daemon that makes WAL durable: so far, its archive and its configuration.
struct Safekeeper: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "safekeeper", abstract: "Keeps a cluster's WAL in storage.", version: zenithVersion,
        subcommands: [
            WALPushCommand.self, WALFetchCommand.self, WALShowCommand.self, WALPrefetchCommand.self,
            ConfigCommand<SafekeeperPart>.self,
        ])
}

@main
enum Main {
    static func main() async { await launch(Safekeeper.self) }
}
