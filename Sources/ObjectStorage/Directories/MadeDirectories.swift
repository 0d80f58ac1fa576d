import Synchronization

/// A storage's root, and what is above it, as far as a store made them: they go again when nothing is left there, so
/// that a storage that was only tried out leaves no trace. What was there before stays.
final class MadeDirectories: Sendable {
    /// From the top down.
    private let paths = Mutex<[String]>([])

    func note(_ path: String) { paths.withLock { $0.append(path) } }

    /// Removes them from the root up, as far as `remove` does, which leaves alone what is not empty.
    ///
    /// - Parameter remove: Whether a directory is gone.
    /// - Returns: Whether the root is gone.
    @discardableResult
    func removeAll<Failure>(_ remove: (String) throws(Failure) -> Bool) throws(Failure) -> Bool {
        var rootIsGone = false
        while let path = paths.withLock({ $0.last }), try remove(path) {
            rootIsGone = true
            paths.withLock { paths in
                if paths.last == path { paths.removeLast() }
            }
        }
        return rootIsGone
    }
}
