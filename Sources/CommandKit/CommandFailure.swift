public import ObjectStorage
public import SystemPackage

/// Why a command ends without having done its work: what a person reads, and what a script decides by.
public struct CommandFailure: Error, Sendable, CustomStringConvertible {
    public let status: ExitStatus
    /// What failed, on what: one line.
    public let message: String
    /// Further lines, where one is not enough: one for each of several faults.
    public let details: [String]
    /// What to do about it.
    public let hint: String?

    public init(_ status: ExitStatus, _ message: String, details: [String] = [], hint: String? = nil) {
        self.status = status
        self.message = message.onOneLine
        self.details = details.map(\.onOneLine)
        self.hint = hint?.onOneLine
    }

    /// All of it, as it is printed: the first line stands for itself.
    public var description: String {
        ([message] + details.map { "  " + $0 } + (hint.map { ["hint: " + $0] } ?? [])).joined(separator: "\n")
    }

    /// The same failure with what was being done in front: `export to /srv/copy: …`.
    public func prefixed(_ context: String) -> CommandFailure {
        CommandFailure(status, "\(context): \(message)", details: details, hint: hint)
    }
}

/// An error of another module that knows which exit code it stands for.
public protocol CommandFailureConvertible: Error {
    var commandFailure: CommandFailure { get }
}

extension CommandFailure: CommandFailureConvertible {
    public var commandFailure: CommandFailure { self }
}

extension CommandFailure {
    /// What `error` means for the one who ran the command.
    public init(_ error: any Error) {
        switch error {
        case let known as any CommandFailureConvertible: self = known.commandFailure
        case let error as ObjectStoreError: self.init(error)
        case let error as Errno: self.init(error, nil)  // without the second argument it would call itself
        case is CancellationError: self.init(.temporary, "interrupted")
        default: self.init(.failed, String(describing: error))
        }
    }

    /// What a storage's error means for the one who ran the command.
    public init(_ error: ObjectStoreError) {
        if error.cause is CancellationError {
            self.init(.temporary, error.action + ": interrupted")
            return
        }
        self.init(ExitStatus(error.code), error.description)
    }

    /// What an error number means for the one who ran the command; `context` says what was tried on which file.
    public init(_ error: Errno, _ context: String? = nil) {
        self.init(ExitStatus(error), (context.map { $0 + ": " } ?? "") + error.description)
    }
}

extension ExitStatus {
    init(_ code: ObjectStoreError.Code) {
        switch code {
        case .denied: self = .permission
        case .unavailable, .throttled: self = .unavailable
        case .corrupt: self = .badData
        case .alreadyExists: self = .outputExists
        case .notFound, .invalid, .full: self = .failed
        }
    }

    init(_ error: Errno) {
        switch error {
        case .permissionDenied, .notPermitted: self = .permission
        case .fileExists, .directoryNotEmpty: self = .outputExists
        case .connectionRefused, .timedOut, .hostIsDown, .noRouteToHost, .networkUnreachable: self = .unavailable
        default: self = .failed
        }
    }
}

extension String {
    /// Without line breaks and other control characters, which could forge a line of output or a terminal's escape.
    var onOneLine: String {
        guard unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return self }
        return split(whereSeparator: \.isNewline).map { line in
            String(
                String.UnicodeScalarView(
                    line.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
        }.joined(separator: "; ")
    }
}
