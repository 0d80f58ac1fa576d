public import SystemPackage

/// Why WAL cannot be kept, or cannot be read.
public enum WALStoreError: Error, Sendable, CustomStringConvertible {
    /// The disk is full, or a quota is reached: nothing was lost, and it may be tried again.
    case full(String)
    /// A call of the operating system failed.
    case io(String, Errno)
    /// What is on disk is not what was written there.
    case damaged(String)
    /// What arrived does not follow on what is there: another history. The text says what to do.
    case diverged(String)
    /// WAL that was asked for is not here any more, or was never.
    case removed(segment: String)

    public var description: String {
        switch self {
        case .full(let action): "\(action): no space left on the disk"
        case .io(let action, let code): "\(action): \(code)"
        case .damaged(let text), .diverged(let text): text
        case .removed(let segment): "WAL segment \(segment) has been removed"
        }
    }

    init(_ action: String, _ code: Errno) {
        self = code == .noSpace || code == .diskQuotaExceeded ? .full(action) : .io(action, code)
    }
}
