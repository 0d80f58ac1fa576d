import CommandKit
import Safekeeper
import SystemPackage

/// What `status --json` prints, and a running daemon answers.
public struct SafekeeperReport: Encodable {
    let directory: String
    public let running: Bool
    let pid: Int32?
    /// What the daemon said last, also when it is gone.
    let safekeeper: SafekeeperStatus?

    init(directory: String, pid: Int32?, safekeeper: SafekeeperStatus?) {
        self.directory = directory
        running = pid != nil
        self.pid = pid
        self.safekeeper = safekeeper
    }

    init(_ installation: SafekeeperInstallation) {
        let directory = installation.directory.path.string
        self.init(
            directory: directory, pid: PidFile.holder(directory: directory, name: SafekeeperInstallation.daemonName),
            safekeeper: installation.lastStatus())
    }

    /// Prints it for people.
    ///
    /// - Parameter name: What to call it, where it is one of several.
    public func describe(_ name: String = "") {
        StandardOutput.line(name + (pid.map { "running (pid \($0))" } ?? "not running"))
        if let safekeeper { describe(safekeeper) }
    }

    private func describe(_ status: SafekeeperStatus) {
        if running {
            StandardOutput.line("  state      \(status.state)\(status.primary.map { ", from \($0)" } ?? "")")
            if let reason = status.reason { StandardOutput.line("  reason     \(reason)") }
        }
        let timeline = status.timeline.map { " (timeline \($0))" } ?? ""
        StandardOutput.line("  flushed    \(status.flushed ?? "nothing yet")\(timeline)")
        let lag = status.lagSeconds > 0 ? ", for \(Int(status.lagSeconds.rounded(.up))) s" : ""
        StandardOutput.line("  lag        \(describeBytes(Int(clamping: status.lagBytes)))\(lag)")
        StandardOutput.line("  offloaded  \(status.offloaded.flatMap { $0 == "0/0" ? nil : $0 } ?? "nothing yet")")
        if let error = status.offloadError { StandardOutput.line("  offload    \(error)") }
        if let error = status.indexError { StandardOutput.line("  indexes    \(error)") }
        for consumer in status.consumers {
            StandardOutput.line(
                "  consumer   \(consumer.name) at \(consumer.address), \(consumer.state), sent \(consumer.sent ?? "nothing")"
            )
        }
    }
}
