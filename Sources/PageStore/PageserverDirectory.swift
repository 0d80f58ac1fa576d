public import Snapshots
public import SystemPackage

/// Where a pageserver keeps what on its local disk.
public struct PageserverDirectory: Sendable {
    public let path: FilePath

    public init(_ path: FilePath) { self.path = path }

    public var snapshots: LocalSnapshots { LocalSnapshots(root: path.appending("timelines")) }
    /// What the running daemon last said of itself, for `status`.
    public var status: FilePath { path.appending("pageserver.status.json") }
    /// The claim of an `init` that has not come to its end.
    public var claim: FilePath { path.appending("init.claim") }
}
