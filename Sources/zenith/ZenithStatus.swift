import ArgumentParser
import CommandKit
import PageserverCommands
import SafekeeperCommands

/// `zenith status`: how both daemons are.
struct ZenithStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say whether the daemons run, and how far they have come.",
        discussion: """
            Exits with 0 when the pageserver runs, and the safekeeper where there is a wal_source; else with 1.

            Example:
              zenith status --json
            """)

    @OptionGroup var pageserver: StatusCommand

    /// The pageserver's report, and in it the safekeeper's.
    private struct Report: Encodable {
        let pageserver: PageserverReport
        let safekeeper: SafekeeperReport?
        private enum CodingKeys: CodingKey { case safekeeper }

        func encode(to encoder: any Encoder) throws {
            try pageserver.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(safekeeper, forKey: .safekeeper)
        }
    }

    func run() async throws {
        let configuration = try Configuration.load(directory: pageserver.common.directory)
        let report = Report(pageserver: try pageserver.report(), safekeeper: SafekeeperBeside(configuration)?.report)
        if pageserver.output.json {
            try printJSON(report)
        } else {
            report.pageserver.describe()
            report.safekeeper?.describe("safekeeper ")
        }
        guard report.pageserver.running, report.safekeeper?.running ?? true else {
            throw ExitCode(ExitStatus.failed.rawValue)
        }
    }
}
