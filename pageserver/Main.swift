import ArgumentParser
import CommandKit
import PageserverCommands

/// The daemon that turns WAL into snapshots, and snapshots into databases.
struct PageserverProgram: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pageserver", abstract: "Keeps a cluster's snapshots in storage.", version: zenithVersion,
        subcommands: [
            InitCommand.self, StartCommand.self, StopCommand.self, StatusCommand.self, ExportCommand.self,
            SnapshotCommand.self, ConfigCommand<PageserverPart>.self,
        ])
}

@main
enum Main {
    static func main() async { await launch(PageserverProgram.self) }
}
