import PostgresFormat
public import Snapshots
import Synchronization
public import SystemPackage

/// Turns a data directory into a snapshot's packs and manifest in a local directory.
public struct DataDirectoryImport: Sendable {
    public struct Options: Sendable {
        public var timeline: TimelineUUID
        public var label = ""
        public var writer: String
        public var allowCorruptPages = false
        /// zstd's.
        public var compressionLevel = 1

        public init(timeline: TimelineUUID, writer: String) {
            self.timeline = timeline
            self.writer = writer
        }
    }

    private let source: any DataDirectorySource
    private let options: Options
    private let pool: WorkerPool
    private let progress: any WorkProgress

    public init(
        from source: any DataDirectorySource, options: Options, pool: WorkerPool, progress: any WorkProgress
    ) {
        self.source = source
        self.options = options
        self.pool = pool
        self.progress = progress
    }

    /// Reads the cluster and writes its packs into `directory`, each whole and on disk. The caller commits the
    /// returned manifest.
    ///
    /// - Throws: `InterchangeError` when the directory is not a cleanly shut-down cluster of a known version, or is
    ///   damaged.
    public func run(into directory: FilePath) async throws -> Manifest {
        for path in ["PG_VERSION", "global/pg_control"] where !(try await source.exists(path)) {
            throw InterchangeError.refused("\(source.name) is not a PostgreSQL data directory: \(path) is missing")
        }
        let entries = try await source.entries()
        let byPath = Dictionary(entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let facts = try await ClusterInspection(source: source, entries: byPath).inspect()
        let plan = try ImportPlan(source: source, entries: entries, facts: facts)
        progress.expect(bytes: plan.totalBytes)

        let next = Atomic<Int>(0)
        let results = try await pool.run { number in
            var worker = ImportWorker(
                source: source, plan: plan, facts: facts, options: options, progress: progress,
                packs: PackWriter(directory: directory, worker: number, level: options.compressionLevel))
            while true {
                try Task.checkCancellation()
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < plan.units.count else { return try worker.finish() }
                try await worker.process(plan.units[index])
            }
        }
        let again = try await source.contents(of: byPath["global/pg_control"]!)
        guard again == facts.controlBytes else {
            throw InterchangeError.refused("\(source.name) changed while it was read: PostgreSQL was started on it")
        }
        return try await manifest(plan, facts, results)
    }

    private func manifest(_ plan: ImportPlan, _ facts: ClusterFacts, _ results: [ImportResult]) async throws -> Manifest
    {
        let control = facts.control
        var manifest = Manifest(
            identity: SnapshotIdentity(
                timeline: options.timeline, startLSN: LSN(rawValue: 0), endLSN: facts.endLSN, created: .now(),
                label: options.label, systemIdentifier: control.systemIdentifier, postgresMajor: control.majorVersion,
                catalogVersion: control.catalogVersion, controlVersion: control.controlVersion,
                tli: control.checkpointCopy.thisTimeLineID, walSegmentBytes: control.walSegmentSize,
                segmentBlocks: Int(control.segmentBlocks), dataChecksums: control.dataChecksumVersion != 0,
                writer: options.writer))
        manifest.tablespaces = try await source.tablespaces().map { Tablespace(oid: $0.key, location: $0.value) }
            .sorted { $0.oid < $1.oid }

        var blocks: [ImportResult.Blocks] = []
        var fileFrames = [[FileFrame]](repeating: [], count: plan.files.count)
        for result in results {
            let base = manifest.packs.count
            manifest.packs += result.packs
            for var piece in result.blocks {
                for index in piece.frames.indices { piece.frames[index].pack += base }
                blocks.append(piece)
            }
            for (file, frames) in result.files {
                fileFrames[file] = frames.map { frame in
                    var moved = frame
                    moved.location.pack += base
                    return moved
                }
            }
            manifest.corruptPages += result.corruptPages
        }
        blocks.sort { ($0.fork, $0.first) < ($1.fork, $1.first) }
        var piece = 0
        for (index, fork) in plan.forks.enumerated() {
            let firstFrame = manifest.frames.count
            while piece < blocks.count, blocks[piece].fork == index {
                var block = blocks[piece].first
                for location in blocks[piece].frames {
                    let count = min(Manifest.frameBlocks, fork.blockCount - block)
                    manifest.frames.append(
                        FrameEntry(location: location, firstRun: manifest.runs.count, runCount: 1))
                    manifest.runs.append(BlockRun(start: UInt32(block), count: UInt32(count)))
                    block += count
                }
                piece += 1
            }
            manifest.forks.append(
                ForkEntry(
                    key: fork.key, blockCount: UInt32(fork.blockCount), firstFrame: firstFrame,
                    frameCount: manifest.frames.count - firstFrame))
        }
        addFiles(plan, facts, fileFrames, to: &manifest)
        manifest.corruptPages.sort { ($0.fork, $0.block) < ($1.fork, $1.block) }
        return manifest
    }

    private func addFiles(
        _ plan: ImportPlan, _ facts: ClusterFacts, _ frames: [[FileFrame]], to manifest: inout Manifest
    ) {
        var directories = Dictionary(
            plan.directories.map { ($0.path, $0.mode) }, uniquingKeysWith: { first, _ in first })
        for path in DataDirectoryRules.standardDirectories(major: facts.control.majorVersion)
        where directories[path] == nil { directories[path] = directories["base"] ?? 0o700 }
        for (path, mode) in directories {
            manifest.files.append(
                FileEntry(path: path, kind: .directory, mode: mode, sizeBytes: 0, firstFrame: 0, frameCount: 0))
        }
        for (index, file) in plan.files.enumerated() {
            manifest.files.append(
                FileEntry(
                    path: file.entry.path, kind: .file, mode: file.entry.mode, sizeBytes: file.entry.sizeBytes,
                    firstFrame: index, frameCount: frames[index].count))
        }
        manifest.files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        for index in manifest.files.indices where manifest.files[index].kind == .file {
            let own = frames[manifest.files[index].firstFrame]
            manifest.files[index].firstFrame = manifest.fileFrames.count
            manifest.fileFrames += own
        }
        for index in manifest.files.indices where manifest.files[index].kind == .directory {
            manifest.files[index].firstFrame = 0
        }
    }
}

/// What one worker made.
struct ImportResult: Sendable {
    struct Blocks: Sendable {
        let fork: Int
        let first: Int
        var frames: [FrameLocation]
    }
    var packs: [PackInfo] = []
    var blocks: [Blocks] = []
    var files: [(file: Int, frames: [FileFrame])] = []
    var corruptPages: [PageKey] = []
}

/// One worker: reads units, checks their pages, and packs them.
private struct ImportWorker: ~Copyable {
    let source: any DataDirectorySource
    let plan: ImportPlan
    let facts: ClusterFacts
    let options: DataDirectoryImport.Options
    let progress: any WorkProgress
    var packs: PackWriter
    var result = ImportResult()
    /// A whole unit: fewer, larger reads than a frame at a time.
    let buffer = PageBuffer(bytes: 1 << 20)

    init(
        source: any DataDirectorySource, plan: ImportPlan, facts: ClusterFacts, options: DataDirectoryImport.Options,
        progress: any WorkProgress, packs: consuming PackWriter
    ) {
        self.source = source
        self.plan = plan
        self.facts = facts
        self.options = options
        self.progress = progress
        self.packs = packs
    }

    mutating func process(_ unit: ImportUnit) async throws {
        switch unit {
        case .blocks(let fork, let first, let count): try await readBlocks(fork, first, count)
        case .file(let index): try await readFile(index)
        }
    }

    mutating func finish() throws -> ImportResult {
        result.packs = try packs.finish()
        return result
    }

    private mutating func readBlocks(_ forkIndex: Int, _ first: Int, _ count: Int) async throws {
        let fork = plan.forks[forkIndex]
        var frames: [FrameLocation] = []
        var open: (segment: Int, file: any SourceFile)?
        let bufferBlocks = buffer.bytes.count / Page.size
        var block = first
        while block < first + count {
            let wanted = min(bufferBlocks, first + count - block)
            var filled = 0
            while filled < wanted {
                let segment = (block + filled) / plan.segmentBlocks
                let within = (block + filled) % plan.segmentBlocks
                if open?.segment != segment { open = (segment, try await source.open(fork.segments[segment])) }
                let part = min(wanted - filled, plan.segmentBlocks - within)
                try await open!.file.read(
                    at: within * Page.size,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: buffer.bytes[filled * Page.size..<(filled + part) * Page.size]))
                filled += part
            }
            let pages = UnsafeRawBufferPointer(buffer.bytes).slice(0, wanted * Page.size)
            try verify(pages, fork, block)
            for start in stride(from: 0, to: wanted, by: Manifest.frameBlocks) {
                let length = min(Manifest.frameBlocks, wanted - start)
                frames.append(try packs.append(pages.slice(start * Page.size, length * Page.size)))
            }
            block += wanted
            progress.advance(bytes: wanted * Page.size)
        }
        result.blocks.append(ImportResult.Blocks(fork: forkIndex, first: first, frames: frames))
    }

    private mutating func verify(_ pages: UnsafeRawBufferPointer, _ fork: ForkSource, _ firstBlock: Int) throws {
        guard facts.control.dataChecksumVersion != 0 else { return }
        var done = 0
        while let bad = PageChecksum.firstBadPage(
            in: pages.slice(done * Page.size, pages.count - done * Page.size), firstBlock: UInt32(firstBlock + done))
        {
            let block = firstBlock + done + bad
            guard options.allowCorruptPages else {
                throw InterchangeError.corrupt(
                    "\(source.name): \(fork.segments[block / plan.segmentBlocks]): block "
                        + "\(block % plan.segmentBlocks) of the file (block \(block) of the relation) fails its "
                        + "checksum; pg_checksums --check lists all such pages; --allow-corrupt-pages takes them as "
                        + "they are and records them")
            }
            result.corruptPages.append(PageKey(fork: fork.key, block: UInt32(block)))
            done += bad + 1
        }
    }

    private mutating func readFile(_ index: Int) async throws {
        let file = plan.files[index]
        var frames: [FileFrame] = []
        if file.contentBytes > 0 {
            let open = try await source.open(file.entry.path)
            let piece = Manifest.frameBlocks * Page.size
            for offset in stride(from: 0, to: file.contentBytes, by: piece) {
                let count = min(piece, file.contentBytes - offset)
                try await open.read(at: offset, into: buffer.bytes.prefixed(count))
                let content = UnsafeRawBufferPointer(buffer.bytes).slice(0, count)
                frames.append(FileFrame(location: try packs.append(content), contentBytes: count))
                progress.advance(bytes: count)
            }
        }
        result.files.append((index, frames))
    }
}
