public import SystemPackage

/// Why an archive does not take a file, or gives none.
public enum WALArchiveError: Error, Sendable, CustomStringConvertible {
    /// The archive has another content under this name.
    case conflict(String)
    /// Bytes that are not what their name or their format promises, in the archive or in the file to be pushed.
    case damaged(String)
    /// What was asked for is not there.
    case absent(String)
    /// Packed in a way that this program does not read.
    case unreadable(String)
    /// A local file could not be read or written.
    case file(String, Errno)

    public var description: String {
        switch self {
        case .conflict(let text), .damaged(let text), .absent(let text), .unreadable(let text): text
        case .file(let text, let error): "\(text): \(error)"
        }
    }
}
