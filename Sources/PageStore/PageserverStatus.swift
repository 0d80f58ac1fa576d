import FoundationEssentials
import Snapshots
public import SystemPackage

/// What a pageserver says of itself. A documented contract: fields are only ever added.
public struct PageserverStatus: Codable, Sendable, Equatable {
    /// All that `state` can be.
    public static let states = ["starting", "pushing", "idle", "retrying", "stopped"]

    /// `starting`, `pushing`, `idle`, `retrying`, `stopped`.
    public var state: String
    public var pid: Int32
    public var startedAt: String
    public var storage: String
    public var timeline: String?
    public var generation: Int?
    public var systemIdentifier: String?
    public var postgresMajor: Int?
    /// The newest snapshot in storage.
    public var latestSnapshot: String?
    public var latestSnapshotLSN: String?
    /// The newest snapshot wherever it is: in storage, or on the local disk alone so far.
    public var newestSnapshotLSN: String?
    /// What the snapshots take that are on the local disk alone, one that is on its way included.
    public var unpushedBytes: Int?
    /// Pushes that did not work, since the start.
    public var pushFailures: Int?
    /// The snapshot on its way to storage, and how far it is.
    public var pushing: String?
    public var pushedBytes: Int?
    public var pushBytes: Int?
    /// Why the last push did not work; nil once one has.
    public var lastError: String?

    public init(storage: String, pid: Int32) {
        state = "starting"
        self.pid = pid
        self.storage = storage
        startedAt = UTCTime.now().description
    }

    /// For a reader in another process: replaced in one step.
    func write(to path: FilePath) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try writeDurably(Array(encoder.encode(self)) + [UInt8(ascii: "\n")], to: path)
    }

    /// What is left to bring into storage.
    public var bytesLeft: Int { max(0, (unpushedBytes ?? 0) - (pushedBytes ?? 0)) }

    /// Nil when there is none, or it does not read.
    public static func read(_ path: FilePath) -> PageserverStatus? {
        guard let bytes = try? readFile(path, limit: 1 << 20) else { return nil }
        return try? JSONDecoder().decode(PageserverStatus.self, from: Data(bytes))
    }
}
