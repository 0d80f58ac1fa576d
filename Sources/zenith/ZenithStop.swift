import ArgumentParser
import CommandKit
import PageserverCommands
import SafekeeperCommands

/// `zenith stop`: both daemons.
struct ZenithStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop the pageserver, and the safekeeper beside it.",
        discussion: StopCommand.configuration.discussion)

    @OptionGroup var pageserver: StopCommand

    func run() async throws {
        let configuration = try Configuration.load(directory: pageserver.common.directory)
        let safekeeper = SafekeeperBeside(configuration)
        let wasRunning = safekeeper?.pid != nil
        // First the one that would start the other again, and that ends it in most cases.
        try await pageserver.run()
        _ = try safekeeper?.stop(Daemon.StopMode(option: pageserver.mode))
        if wasRunning { StandardOutput.line("stopped the safekeeper") }
    }
}
