import FoundationEssentials
import Glibc
public import Logging
import Synchronization
public import SystemPackage

/// Where the log goes. Lines are written whole, one call each, so that several processes can share a file.
public final class LogOutput: Sendable {
    private let path: String?
    private let file: Mutex<Int32>

    /// Standard error, above the progress line.
    public static let standardError = LogOutput()

    private init() {
        path = nil
        file = Mutex(STDERR_FILENO)
    }

    /// Appends to a file, which is made with mode 0600 where it is not there.
    public init(path: String) throws(CommandFailure) {
        self.path = path
        do { file = Mutex(try Self.openFile(path)) } catch {
            throw CommandFailure(error, "cannot open the log file \(path)")
        }
    }

    /// Opens the file again under its name, after somebody has moved the old one away.
    public func reopen() throws(Errno) {
        guard let path else { return }
        let new = try Self.openFile(path)
        let old = file.withLock { current in
            defer { current = new }
            return current
        }
        close(old)
    }

    func write(_ line: String) {
        if path == nil {
            StandardError.write(line)
        } else {
            // A full disk must not stop the daemon, and there is no other place to say so.
            file.withLock { try? writeAll($0, Array(line.utf8)) }
        }
    }

    private static func openFile(_ path: String) throws(Errno) -> Int32 {
        try systemCall { open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600) }
    }
}

/// Starts the log of this process: once, before the first logger is made.
public func startLog(level: Logger.Level, to output: LogOutput = .standardError) {
    LoggingSystem.bootstrap { label in LineLogHandler(label: label, output: output, level: level) }
}

/// Lines such as `2026-11-23T11:30:00.123Z INFO pageserver: message key=value`.
public struct LineLogHandler: LogHandler {
    private let label: String
    private let output: LogOutput
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    public init(label: String, output: LogOutput, level: Logger.Level) {
        self.label = label
        self.output = output
        logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        output.write(
            Self.line(
                time: utcTimestamp(Date()), level: event.level, label: label, message: event.message.description,
                metadata: all))
    }

    static func line(
        time: String, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata
    ) -> String {
        var line = "\(time) \(level.rawValue.uppercased()) \(label): \(message.onOneLine)"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(quoted(value.description))" }
        return line + "\n"
    }

    /// As it is when it is one plain word, else in quotes.
    private static func quoted(_ value: String) -> String {
        let clean = value.onOneLine
        guard clean.isEmpty || clean.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" || $0 == "\\" }) else {
            return clean
        }
        return "\"" + clean.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined() + "\""
    }
}

/// A time in UTC with milliseconds: `2026-11-23T11:30:00.123Z`.
func utcTimestamp(_ date: Date) -> String {
    let milliseconds = Int((date.timeIntervalSince1970 * 1000).rounded(.down))
    var seconds = milliseconds / 1000
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let padded = { (number: Int, width: Int) -> String in
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let day = [(Int(parts.tm_year) + 1900, 4), (Int(parts.tm_mon) + 1, 2), (Int(parts.tm_mday), 2)]
    let clock = [(Int(parts.tm_hour), 2), (Int(parts.tm_min), 2), (Int(parts.tm_sec), 2)]
    return day.map { padded($0.0, $0.1) }.joined(separator: "-") + "T"
        + clock.map { padded($0.0, $0.1) }.joined(separator: ":") + "." + padded(milliseconds % 1000, 3) + "Z"
}
