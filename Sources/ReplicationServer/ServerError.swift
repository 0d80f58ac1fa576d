import NIOCore

/// What the client is told when something goes wrong, in PostgreSQL's words where it has some.
struct ServerError: Error, Hashable, CustomStringConvertible {
    enum Severity: String {
        /// The command failed, the connection goes on.
        case error = "ERROR"
        /// The connection ends.
        case fatal = "FATAL"
    }

    let severity: Severity
    /// PostgreSQL's error code, `src/backend/utils/errcodes.txt`.
    let code: String
    let message: String
    var detail: String?
    var hint: String?

    var description: String { "\(code): \(message)" }

    static func error(_ code: String, _ message: String, detail: String? = nil, hint: String? = nil) -> ServerError {
        ServerError(severity: .error, code: code, message: message, detail: detail, hint: hint)
    }

    static func fatal(_ code: String, _ message: String, detail: String? = nil, hint: String? = nil) -> ServerError {
        ServerError(severity: .fatal, code: code, message: message, detail: detail, hint: hint)
    }

    /// `protocol_violation`, after which nothing that the client says is understood.
    static func violation(_ message: String) -> ServerError { fatal("08P01", message) }
}
