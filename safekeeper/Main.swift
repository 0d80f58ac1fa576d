import ArgumentParser
import CommandKit

/// The daemon that makes WAL durable: so far, its configuration.
struct Safekeeper: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "safekeeper", abstract: "Checks and shows the configuration of the safekeeper.",
        version: zenithVersion, subcommands: [ConfigCommand<SafekeeperPart>.self])
}

@main
enum Main {
    static func main() async { await launch(Safekeeper.self) }
}
