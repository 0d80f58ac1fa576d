public import Logging
public import ObjectStorage
import PostgresFormat
public import Snapshots
import StorageURI
import Synchronization

/// Keeps one timeline: brings what is only on the local disk into storage.
public actor Pageserver {
    private let directory: PageserverDirectory
    private let store: any ObjectStore
    private let timelineName: String?
    private let owner: String
    private let logger: Logger
    /// How it is now.
    public private(set) var status: PageserverStatus

    /// - Parameters:
    ///   - timelineName: Name or id; nil for the main one.
    ///   - owner: Written into the generation's claim, for people: host and process.
    public init(
        directory: PageserverDirectory, store: any ObjectStore, timelineName: String?, owner: String, pid: Int32,
        logger: Logger
    ) {
        self.directory = directory
        self.store = store
        self.timelineName = timelineName
        self.owner = owner
        self.logger = logger
        status = PageserverStatus(storage: store.location.description, pid: pid)
    }

    /// What is known when a pageserver has started.
    public struct Started: Sendable {
        let writer: RepositoryWriter
        let timeline: TimelineUUID
        let generation: Int
        /// Sound snapshots that are on the local disk only, oldest first.
        let unpushed: [Manifest]
        /// The newest snapshot, wherever it is.
        public let latest: SnapshotName
    }

    /// Opens the repository for writing and finds the latest snapshot: in storage, or on the local disk.
    ///
    /// - Throws: `RepositoryError`, or `ObjectStoreError` when the storage does not answer.
    public func start() async throws -> Started {
        let writer = try await RepositoryWriter.open(store)
        let repository = writer.repository
        let timeline = try await repository.timeline(timelineName)
        let generation = try await writer.claimGeneration(timeline, owner: owner)
        let stored = try await repository.snapshots(timeline).map(\.name)
        var unpushed: [Manifest] = []
        for name in try directory.snapshots.unpushed(timeline) {
            guard !stored.contains(name) else {
                try directory.snapshots.markPushed(name)  // the answer to an earlier push was lost
                continue
            }
            do { unpushed.append(try directory.snapshots.manifest(name)) } catch {
                guard !stored.isEmpty else { throw RepositoryError.damaged("local snapshot \(name): \(error)") }
                logger.error(
                    "local snapshot is damaged and was never pushed; going on from storage",
                    metadata: ["snapshot": "\(name)", "error": "\(error)"])
                try directory.snapshots.remove(name)
            }
        }
        guard let latest = (stored + unpushed.map(\.name)).max(by: SnapshotName.precedes) else {
            throw RepositoryError.noSuchSnapshot(
                "\(repository.location) holds no snapshot of this cluster, and neither does \(directory.path)")
        }
        // What can be served is decided here, not at the first request.
        if !unpushed.contains(where: { $0.name == latest }), (try? directory.snapshots.manifest(latest)) == nil {
            _ = try await repository.manifest(latest)
        }
        status.timeline = timeline.description
        status.generation = generation
        status.systemIdentifier = repository.identity.systemIdentifier
        status.postgresMajor = repository.identity.postgresMajor
        status.newestSnapshotLSN = latest.endLSN.description
        status.unpushedBytes = unpushed.reduce(0) { $0 + $1.storedBytes }
        status.pushFailures = 0
        status.state = unpushed.isEmpty ? "idle" : "pushing"
        show(stored.max(by: SnapshotName.precedes))
        try status.write(to: directory.status)
        logger.info(
            "started",
            metadata: ["storage": "\(repository.location)", "latest": "\(latest)", "generation": "\(generation)"])
        return Started(
            writer: writer, timeline: timeline, generation: generation, unpushed: unpushed, latest: latest)
    }

    /// Pushes what is not in storage yet, then waits for its task to be cancelled. Storage that fails is tried again
    /// for as long as it takes.
    ///
    /// - Throws: `RepositoryError.superseded` when another pageserver has opened the timeline since.
    public func run(_ started: Started) async throws {
        for manifest in started.unpushed { try await pushUntilDone(manifest, started) }
        status.state = "idle"
        try status.write(to: directory.status)
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
    }

    /// Pushes once, without trying again.
    public func push(_ started: Started, progress: any WorkProgress) async throws {
        for manifest in started.unpushed { try await push(manifest, started, progress) }
    }

    /// Says for the last time how things are.
    public func finish(error: (any Error)?) {
        status.state = "stopped"
        if let error { status.lastError = "\(error)" }
        do { try status.write(to: directory.status) } catch { logger.error("\(error)") }
    }

    private func pushUntilDone(_ manifest: Manifest, _ started: Started) async throws {
        var wait = Duration.seconds(1)
        while true {
            do {
                let progress = PushProgress()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.push(manifest, started, progress) }
                    group.addTask { try await self.report(progress) }
                    try await group.next()  // the push: the report does not end by itself
                    group.cancelAll()
                }
                return
            } catch let error as RepositoryError { throw error } catch {
                if Task.isCancelled { throw CancellationError() }
                logger.error(
                    "push failed; trying again",
                    metadata: ["snapshot": "\(manifest.name)", "error": "\(error)", "wait": "\(wait)"])
                status.state = "retrying"
                status.pushFailures = (status.pushFailures ?? 0) + 1
                status.lastError = "\(error)"
                try status.write(to: directory.status)
                try await Task.sleep(for: wait)
                wait = min(wait * 2, .seconds(60))
            }
        }
    }

    private func push(_ manifest: Manifest, _ started: Started, _ progress: any WorkProgress) async throws {
        status.state = "pushing"
        status.pushing = manifest.name.description
        try status.write(to: directory.status)
        logger.info("pushing", metadata: ["snapshot": "\(manifest.name)", "bytes": "\(manifest.storedBytes)"])
        try await started.writer.push(
            manifest, from: directory.snapshots.directory(of: manifest.name), progress: progress
        ) {
            try await started.writer.checkGeneration(started.timeline, started.generation)
        }
        try directory.snapshots.markPushed(manifest.name)
        logger.info("pushed", metadata: ["snapshot": "\(manifest.name)"])
        (status.pushing, status.pushedBytes, status.pushBytes, status.lastError) = (nil, nil, nil, nil)
        status.unpushedBytes = (status.unpushedBytes ?? 0) - manifest.storedBytes
        show(manifest.name)
        try status.write(to: directory.status)
    }

    private func report(_ progress: PushProgress) async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            (status.pushBytes, status.pushedBytes) = progress.counts
            try status.write(to: directory.status)
        }
    }

    private func show(_ latest: SnapshotName?) {
        status.latestSnapshot = latest?.description
        status.latestSnapshotLSN = latest?.endLSN.description
    }
}

/// Counts for the status file.
private final class PushProgress: WorkProgress {
    private let expected = Atomic<Int>(0)
    private let done = Atomic<Int>(0)

    var counts: (expected: Int, done: Int) { (expected.load(ordering: .relaxed), done.load(ordering: .relaxed)) }

    func expect(bytes: Int) { expected.wrappingAdd(bytes, ordering: .relaxed) }
    func advance(bytes: Int) { done.wrappingAdd(bytes, ordering: .relaxed) }
}
