public import ArgumentParser
public import CommandKit
import PageStore
import SystemPackage

/// `status`: how the daemon is.
public struct StatusCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say whether the pageserver runs, and how far it has come.",
        discussion: """
            Exits with 0 when it runs and with 1 when it does not.

            Example:
              zenith status --json
            """)

    @OptionGroup public var common: CommonOptions
    @OptionGroup public var output: OutputOptions

    public init() {}

    public func run() async throws {
        let report = try report()
        if output.json { try printJSON(report) } else { report.describe() }
        if !report.running { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    /// - Throws: When `init` has not been run here.
    public func report() throws -> PageserverReport {
        let installation = try Installation(common)
        try installation.requireInitialized()
        let directory = installation.directory
        let pid = PidFile.holder(directory: directory.path.string, name: Installation.daemonName)
        return PageserverReport(
            directory: directory.path.string, running: pid != nil, pid: pid,
            pageserver: PageserverStatus.read(directory.status))
    }
}

/// What `status --json` prints, and a running daemon answers.
public struct PageserverReport: Encodable {
    let directory: String
    public let running: Bool
    let pid: Int32?
    /// What the daemon said last, also when it is gone.
    let pageserver: PageserverStatus?

    /// Prints it for people.
    public func describe() {
        StandardOutput.line(pid.map { "running (pid \($0))" } ?? "not running")
        if let pageserver { describe(pageserver) }
    }

    private func describe(_ status: PageserverStatus) {
        StandardOutput.line("  storage   \(status.storage)")
        if running { StandardOutput.line("  state     \(status.state)") }
        if let timeline = status.timeline { StandardOutput.line("  timeline  \(timeline)") }
        StandardOutput.line("  latest    \(status.latestSnapshot ?? "no snapshot in storage yet")")
        if let pushing = status.pushing {
            let done = status.pushedBytes ?? 0
            let amount = status.pushBytes.map { ", \(describeBytes(done)) of \(describeBytes($0))" } ?? ""
            StandardOutput.line("  pushing   \(pushing)\(amount)")
        }
        if let error = status.lastError { StandardOutput.line("  error     \(error)") }
    }
}
