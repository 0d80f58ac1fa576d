import Foundation
import ObjectStorage
import PostgresFormat
import SystemPackage
import Testing

@testable import Snapshots

/// A snapshot on the local disk, of two packs, made by the writer of packs itself.
private final class LocalSample: Sendable {
    let root: FilePath
    let directory: FilePath
    let manifest: Manifest

    init(_ timeline: TimelineUUID, start: UInt64 = 0, end: UInt64 = 0x1000, created: Int64 = 1_795_433_400) throws {
        root = FilePath(NSTemporaryDirectory() + "zenith-\(UUID().uuidString)")
        let local = LocalSnapshots(root: root)
        let staging = try local.stage(timeline)
        var manifest = Manifest(
            identity: SnapshotIdentity(
                timeline: timeline, startLSN: LSN(rawValue: start), endLSN: LSN(rawValue: end),
                created: UTCTime(microseconds: created * 1_000_000), systemIdentifier: 7, postgresMajor: 17,
                catalogVersion: 1, controlVersion: 1300, tli: 1, walSegmentBytes: 16 << 20, segmentBlocks: 131_072,
                dataChecksums: false, writer: "test"))
        for worker in 0..<2 {
            var writer = PackWriter(directory: staging, worker: worker, level: 1)
            let content = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* (worker + 3) &+ Int(end)) }
            var location = try content.withUnsafeBytes { try writer.append($0) }
            location.pack = worker
            manifest.packs += try writer.finish()
            manifest.files.append(
                FileEntry(
                    path: "file\(worker)", kind: .file, mode: 0o600, sizeBytes: content.count, firstFrame: worker,
                    frameCount: 1))
            manifest.fileFrames.append(FileFrame(location: location, contentBytes: content.count))
        }
        try local.commit(manifest, staging: staging)
        directory = local.directory(of: manifest.name)
        self.manifest = manifest
    }

    deinit { try? removeTree(root) }
}

@Suite("push", .timeLimit(.minutes(30)))
struct PushTests {
    let timeline = TimelineUUID()
    let identity = RepositoryIdentity(
        systemIdentifier: 7, postgresMajor: 17, walSegmentBytes: 16 << 20, claim: "first")

    /// All that a pageserver does with a storage to bring a snapshot there.
    private func push(_ sample: LocalSample, to store: any ObjectStore) async throws {
        let writer = try await RepositoryWriter.create(store, identity: identity)
        try await writer.createTimeline(TimelineInfo(id: timeline, name: "main"))
        let generation = try await writer.claimGeneration(timeline, owner: "test")
        try await writer.push(sample.manifest, from: sample.directory, parallel: 1, progress: NoProgress()) {
            try await writer.checkGeneration(timeline, generation)
        }
    }

    /// A whole snapshot can be read, and is the same byte for byte.
    private func expectWhole(_ sample: LocalSample, in store: any ReadableStore) async throws {
        let repository = try await Repository.open(store)
        #expect(try await repository.timeline("main") == timeline)
        #expect(try await repository.snapshots(timeline).map(\.name) == [sample.manifest.name])
        #expect(try await repository.manifest(sample.manifest.name) == sample.manifest)
        for pack in sample.manifest.packs {
            let local = try readFile(sample.directory.appending(pack.name))
            #expect(try await store.get(Repository.key(sample.manifest.name, pack.name)) == local)
        }
        let report = try await SnapshotVerification(sample.manifest, in: repository)
            .run(pool: WorkerPool(width: 1), progress: NoProgress())
        #expect(report.faults == [] && report.packs == 2)
    }

    @Test("after a crash at any operation another push ends the same, and no half was seen meanwhile")
    func crashes() async throws {
        let sample = try LocalSample(timeline)
        let calm = FaultInjectingStore(MemoryObjectStore())
        try await push(sample, to: calm)
        try await expectWhole(sample, in: calm)
        let operations = calm.operationCount
        let kinds: [FaultInjectingStore.Kind] = [
            .crashBefore, .crashAfter, .lostAnswer, .refused(.throttled), .refused(.denied),
        ]
        for kind in kinds {
            for nth in 1...operations {
                let memory = MemoryObjectStore()
                let store = FaultInjectingStore(memory, faults: [.init(kind, nth: nth)])
                do { try await push(sample, to: store) } catch {}
                if let repository = try? await Repository.open(memory) {
                    let seen = try await repository.snapshots(timeline)
                    if !seen.isEmpty { try await expectWhole(sample, in: memory) }
                }
                store.recover()
                try await push(sample, to: store)
                try await expectWhole(sample, in: memory)
            }
        }
    }

    @Test("a pack that was damaged on the local disk is not pushed")
    func damagedPack() async throws {
        let sample = try LocalSample(timeline)
        let path = sample.directory.appending(sample.manifest.packs[1].name)
        var bytes = try readFile(path)
        bytes[bytes.count / 2] ^= 1
        try writeDurably(bytes, to: path)
        let memory = MemoryObjectStore()
        await #expect(throws: RepositoryError.self) { try await push(sample, to: memory) }
        #expect(try await Repository.open(memory).snapshots(timeline).isEmpty)
    }

    @Test("what is damaged in storage is found: packs, manifests")
    func damagedStorage() async throws {
        let sample = try LocalSample(timeline)
        let memory = MemoryObjectStore()
        try await push(sample, to: memory)
        let repository = try await Repository.open(memory)
        let pack = Repository.key(sample.manifest.name, sample.manifest.packs[0].name)
        let sound = try #require(memory.bytes(pack))
        let verification = SnapshotVerification(sample.manifest, in: repository)
        for damaged in [nil, Array(sound.dropLast()), sound + [0], sound.map { $0 ^ 1 }] {
            memory.replace(pack, with: damaged)
            let report = try await verification.run(pool: WorkerPool(width: 1), progress: NoProgress())
            #expect(!report.faults.isEmpty)
            #expect(report.faults.allSatisfy { $0.contains(sample.manifest.packs[0].name) }, "\(report.faults)")
        }
        memory.replace(pack, with: sound)
        let target = FilePath(NSTemporaryDirectory() + "zenith-\(UUID().uuidString)")
        defer { try? removeTree(target) }
        try makeDirectories(target)
        try await repository.download(
            packsOf: sample.manifest.name, sample.manifest, into: target, progress: NoProgress())
        #expect(try readFile(target.appending(sample.manifest.packs[0].name)) == sound)
        // A size that no object has ends in an error, and soon.
        var boastful = sample.manifest
        let first = boastful.packs[0]
        boastful.packs[0] = PackInfo(name: first.name, sizeBytes: 1 << 60, sha256: first.sha256)
        await #expect(throws: RepositoryError.self) {
            try await repository.download(
                packsOf: sample.manifest.name, boastful, into: target, progress: NoProgress())
        }

        let key = Repository.key(sample.manifest.name, "manifest")
        var manifest = try #require(memory.bytes(key))
        manifest[20] ^= 1
        memory.replace(key, with: manifest)
        await #expect(throws: RepositoryError.self) { try await repository.manifest(sample.manifest.name) }
    }

    @Test("a deletion that crashes anywhere leaves the snapshot whole or not seen")
    func deletion() async throws {
        let sample = try LocalSample(timeline)
        let name = sample.manifest.name
        for kind in [FaultInjectingStore.Kind.crashBefore, .crashAfter] {
            for nth in 1...8 {
                let memory = MemoryObjectStore()
                try await push(sample, to: memory)
                let store = FaultInjectingStore(memory)
                let writer = try await RepositoryWriter.open(store)
                store.recover()
                store.add(.init(kind, nth: nth))
                var failed = false
                do { try await writer.delete(name) } catch { failed = true }
                #expect(failed == store.hasCrashed)
                let repository = try await Repository.open(memory)
                if try await repository.snapshots(timeline).isEmpty {
                    if !failed { #expect(!memory.keys.contains { $0.text.contains("/snapshots/") }) }
                } else {
                    try await expectWhole(sample, in: memory)
                    #expect(failed)
                }
                // The same snapshot can be pushed again over what is left of it.
                try await push(sample, to: memory)
                try await expectWhole(sample, in: memory)
            }
        }
    }

    @Test("a snapshot that another builds on is not deleted")
    func neededSnapshot() async throws {
        let (base, next) = (try LocalSample(timeline), try LocalSample(timeline, start: 0x1000, end: 0x2000))
        let memory = MemoryObjectStore()
        try await push(base, to: memory)
        try await push(next, to: memory)
        let writer = try await RepositoryWriter.open(memory)
        await #expect { try await writer.delete(base.manifest.name) } throws: {
            if case .needed? = $0 as? RepositoryError { true } else { false }
        }
        try await writer.delete(next.manifest.name)
        try await writer.delete(base.manifest.name)
        await #expect { try await writer.delete(base.manifest.name) } throws: {
            if case .noSuchSnapshot? = $0 as? RepositoryError { true } else { false }
        }
        #expect(try await writer.repository.snapshots(timeline).isEmpty)
    }

    @Test("a prefix belongs to the first that claims it, which may claim it again")
    func claims() async throws {
        let memory = MemoryObjectStore()
        let store = FaultInjectingStore(memory, faults: [.init(.lostAnswer, .put)])
        await #expect(throws: ObjectStoreError.self) { try await RepositoryWriter.create(store, identity: identity) }
        _ = try await RepositoryWriter.create(store, identity: identity)
        var other = identity
        other.claim = "second"
        var clone = identity
        clone.systemIdentifier = "8"
        for stranger in [other, clone] {
            await #expect {
                try await RepositoryWriter.create(memory, identity: stranger)
            } throws: {
                if case .taken? = $0 as? RepositoryError { true } else { false }
            }
        }
        #expect(try await Repository.open(memory).identity == identity)
        await #expect {
            try await Repository.open(MemoryObjectStore())
        } throws: {
            if case .absent? = $0 as? RepositoryError { true } else { false }
        }
    }

    @Test("of several that open a timeline the last one writes, and each has a number of its own")
    func generations() async throws {
        let memory = MemoryObjectStore()
        let writer = try await RepositoryWriter.create(memory, identity: identity)
        let numbers = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 { group.addTask { try await writer.claimGeneration(timeline, owner: "x") } }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(numbers.sorted() == Array(1...8))
        try await writer.checkGeneration(timeline, 8)
        await #expect(throws: RepositoryError.self) { try await writer.checkGeneration(timeline, 7) }
        // What nobody of us can have written decides nothing.
        for name in ["9223372036854775807", "x", "-5", "+99", ""] {
            memory.replace(ObjectKey("timelines/\(timeline)/generations/\(name)"), with: [])
        }
        #expect(try await writer.claimGeneration(timeline, owner: "y") == 9)

        let sample = try LocalSample(timeline)
        await #expect {
            try await writer.push(sample.manifest, from: sample.directory, progress: NoProgress()) {
                try await writer.checkGeneration(timeline, 8)
            }
        } throws: {
            if case .superseded? = $0 as? RepositoryError { true } else { false }
        }
        #expect(try await writer.repository.snapshots(timeline).isEmpty)
    }
}
