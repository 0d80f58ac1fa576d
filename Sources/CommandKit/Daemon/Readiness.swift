import Glibc
import Synchronization

/// A daemon's word to the command that started it, and to the service manager: ready, or failed and why.
public final class Readiness: Sendable {
    /// Names the inherited pipe; only `Daemon.start` sets it.
    static let variable = "ZENITH_READY_FD"

    public static let shared = Readiness()

    private let pipe: Mutex<Int32?>

    private init() {
        var file: Int32?
        if let text = getenv(Self.variable).map({ String(cString: $0) }), let number = Int32(text), number > 2,
            fcntl(number, F_SETFD, FD_CLOEXEC) == 0
        {
            file = number
        }
        unsetenv(Self.variable)
        pipe = Mutex(file)
    }

    /// True when a command waits for this process to come up.
    public var isAwaited: Bool { pipe.withLock { $0 != nil } }

    /// The daemon serves: the command that started it returns.
    public func ready() {
        tell("ready")
        notifyServiceManager("READY=1\nMAINPID=\(getpid())")
    }

    /// The daemon gives up before it served.
    func failed(_ failure: CommandFailure) {
        tell("failed \(failure.status.rawValue)\n\(failure)")
    }

    /// The daemon has begun to shut down.
    public func stopping() { notifyServiceManager("STOPPING=1") }

    /// The failure that `failed` told; nil when the text is something else.
    static func failure(from text: String) -> CommandFailure? {
        var lines = text.split(separator: "\n").map(String.init)
        guard let first = lines.first, first.hasPrefix("failed "), lines.count > 1,
            let status = Int32(first.dropFirst("failed ".count)).flatMap(ExitStatus.init)
        else { return nil }
        lines.removeFirst()
        let message = lines.removeFirst()
        let mark = "hint: "
        let hint = lines.last.flatMap { $0.hasPrefix(mark) ? String($0.dropFirst(mark.count)) : nil }
        if hint != nil { lines.removeLast() }
        let details = lines.map { $0.hasPrefix("  ") ? String($0.dropFirst(2)) : $0 }
        return CommandFailure(status, message, details: details, hint: hint)
    }

    private func tell(_ text: String) {
        pipe.withLock { file in
            guard let open = file else { return }
            // When the command is gone, so is whoever could want to know.
            try? writeAll(open, Array(text.utf8))
            close(open)
            file = nil
        }
    }
}
