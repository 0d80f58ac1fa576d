import ArgumentParser
import CommandKit
import PageserverCommands
import WALCommands

/// The front end for a whole installation.
struct Zenith: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zenith", abstract: "Snapshot-first storage for PostgreSQL.", version: zenithVersion,
        subcommands: [
            ZenithInit.self, ZenithStart.self, ZenithStop.self, ZenithStatus.self, ExportCommand.self,
            SnapshotCommand.self, ConfigCommand<WholeInstallation>.self, StorageCommand.self, WALCommand.self,
        ])
}

@main
enum Main {
    static func main() async { await launch(Zenith.self) }
}
