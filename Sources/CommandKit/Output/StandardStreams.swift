import Glibc
import Synchronization
import SystemPackage

/// Standard output: results, and nothing else.
public enum StandardOutput {
    /// Writes the text as it is. When the reader has gone away, the program ends quietly, as a filter does.
    public static func write(_ text: String) { write(bytes: Array(text.utf8)) }

    /// Writes the bytes as they are; ends as `write` does.
    public static func write(bytes: [UInt8]) {
        do {
            try writeAll(STDOUT_FILENO, bytes)
        } catch .brokenPipe {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        } catch {
            fail(name: programName, CommandFailure(error, "cannot write standard output"))
        }
    }

    /// Writes one line.
    public static func line(_ text: String = "") { write(text + "\n") }
}

/// Standard error: messages, the log, and on a terminal the line that shows progress, which stays below all others.
public enum StandardError {
    /// The progress line that the terminal shows now; empty when there is none.
    private static let statusLine = Mutex("")
    private static let eraseLine = "\r\u{1B}[K"

    /// True when progress can be drawn: a terminal that knows how to move its cursor.
    public static var isTerminal: Bool {
        guard isatty(STDERR_FILENO) == 1 else { return false }
        let kind = getenv("TERM").map { String(cString: $0) } ?? ""
        return !kind.isEmpty && kind != "dumb"
    }

    /// The terminal's width in characters; 80 when it does not say.
    static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes whole lines above the progress line.
    public static func write(_ text: String) {
        statusLine.withLock { status in
            send(status.isEmpty ? text : eraseLine + text + status)
        }
    }

    /// Writes one line.
    public static func line(_ text: String) { write(text + "\n") }

    /// Shows `text` as the progress line, in place of the one before.
    static func showStatus(_ text: String) {
        statusLine.withLock { status in
            status = text
            send(eraseLine + text)
        }
    }

    /// Ends the progress line: `final` stays on the terminal as an ordinary line; nil removes it.
    static func endStatus(_ final: String?) {
        statusLine.withLock { status in
            let shown = !status.isEmpty
            status = ""
            if let final { send(eraseLine + final + "\n") } else if shown { send(eraseLine) }
        }
    }

    /// There is nobody left to tell when standard error cannot be written.
    private static func send(_ text: String) { try? writeAll(STDERR_FILENO, Array(text.utf8)) }
}

/// The name this program was called by, for messages.
public var programName: String {
    CommandLine.arguments.first.flatMap { $0.split(separator: "/").last.map(String.init) } ?? "zenith"
}
