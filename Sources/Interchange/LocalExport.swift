import Glibc
import PostgresFormat
public import Snapshots
import Synchronization
public import SystemPackage

/// Writes a snapshot as a data directory that PostgreSQL starts on at once.
///
/// A marker file is there from the first byte to the last, and what makes a directory a cluster (`PG_VERSION`,
/// `pg_control`) is written at the very end: an export that was cut short is never taken for a whole one, and the
/// next export to the same place starts over.
public struct LocalExport: Sendable {
    public struct Options: Sendable {
        /// Who owns the files; nil: whoever runs this.
        public var owner: (user: UInt32, group: UInt32)?
        /// By the tablespace's original directory or its OID.
        public var tablespaceMapping: [String: String] = [:]

        public init() {}
    }

    static let marker = "zenith-export-unfinished"
    /// What `writeDurably` calls the marker while it writes it.
    static let markerBegun = temporaryName(for: marker)

    private let snapshot: SnapshotReader
    private let options: Options
    private let pool: WorkerPool
    private let progress: any WorkProgress

    public init(_ snapshot: SnapshotReader, options: Options, pool: WorkerPool, progress: any WorkProgress) {
        self.snapshot = snapshot
        self.options = options
        self.pool = pool
        self.progress = progress
    }

    /// Writes the data directory at `root`, which must be empty or absent; all of it is on disk when this returns.
    ///
    /// - Throws: `InterchangeError.exists` when something is there.
    public func run(to root: FilePath) async throws {
        let manifest = snapshot.manifest
        guard manifest.identity.startLSN.rawValue == 0 else {
            throw InterchangeError.refused("snapshot \(manifest.name) is incremental and cannot be exported by itself")
        }
        let layout = ExportLayout(manifest)
        let tablespaces = try TablespacePlacement(manifest, root: root, mapping: options.tablespaceMapping)
        let tree = ExportTree(root: root, owner: options.owner, layout: layout)
        try tree.claim(root)
        for place in tablespaces.outside { try tree.claim(FilePath(place.directory)) }
        try tree.checkSpace(tablespaces)
        try tree.makeDirectories(tablespaces)
        try tree.makeEmptyFiles()

        let groups = manifest.schedule()
        progress.expect(bytes: manifest.pageCount * Page.size + manifest.fileFrames.reduce(0) { $0 + $1.contentBytes })
        let next = Atomic<Int>(0)
        let decisive = try await pool.run { _ in
            var worker = ExportWorker(snapshot: snapshot, tree: tree, progress: progress)
            while true {
                try Task.checkCancellation()
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < groups.count else { return worker.decisive }
                try await worker.write(groups[index])
            }
        }.flatMap { $0 }
        for file in layout.generatedFiles {
            try tree.writeDurably(file.path, Array(file.text.utf8), mode: layout.fileMode)
        }
        try tree.synchronize()
        for place in tablespaces.outside { try tree.synchronize(FilePath(place.directory)) }
        for path in ExportLayout.decisive {
            guard let content = decisive.first(where: { $0.path == path })?.content else {
                throw InterchangeError.corrupt("snapshot \(manifest.name) holds no \(path)")
            }
            try tree.writeDurably(path, content, mode: manifest.files.first { $0.path == path }!.mode)
        }
        for place in tablespaces.outside { try tree.release(FilePath(place.directory)) }
        try tree.release(root)
    }
}

/// Where each tablespace goes.
struct TablespacePlacement {
    struct Place {
        let oid: UInt32
        /// Absolute; the link `pg_tblspc/<oid>` leads there.
        let directory: String
    }
    /// Tablespaces that are plain directories in `pg_tblspc`, as they were.
    var inPlace: [UInt32] = []
    /// Below the export's own `tablespaces/`.
    var below: [Place] = []
    /// Where the mapping says.
    var outside: [Place] = []

    init(_ manifest: Manifest, root: FilePath, mapping: [String: String]) throws {
        var unused = mapping
        for tablespace in manifest.tablespaces {
            let oid = String(tablespace.oid)
            if let target = unused.removeValue(forKey: tablespace.location) ?? unused.removeValue(forKey: oid) {
                let path = FilePath(target)
                guard path.isAbsolute else {
                    throw InterchangeError.refused("the tablespace directory \(target) must be an absolute path")
                }
                let directory = path.lexicallyNormalized()
                // One inside of another would be taken for its content, or removed with an unfinished export.
                let others = outside.map { FilePath($0.directory) } + [root.lexicallyNormalized()]
                if let other = others.first(where: { directory.starts(with: $0) || $0.starts(with: directory) }) {
                    throw InterchangeError.refused(
                        "the tablespace directory \(directory) lies in the export itself or overlaps another "
                            + "tablespace's: \(other)")
                }
                outside.append(Place(oid: tablespace.oid, directory: directory.string))
            } else if tablespace.location.isEmpty {
                inPlace.append(tablespace.oid)
            } else {
                let directory = root.appending("tablespaces").appending(oid)
                below.append(Place(oid: tablespace.oid, directory: directory.string))
            }
        }
        if let wrong = unused.keys.min() {
            let known = manifest.tablespaces.map { $0.location.isEmpty ? String($0.oid) : $0.location }
            throw InterchangeError.refused(
                "the snapshot has no tablespace \(wrong); it has "
                    + (known.isEmpty ? "none" : known.joined(separator: ", ")))
        }
    }
}

/// One worker: reads groups of frames and writes each page where it belongs.
private struct ExportWorker: ~Copyable {
    private let manifest: Manifest
    private let tree: ExportTree
    private let progress: any WorkProgress
    private var reader: FrameReader
    private let buffer = PageBuffer(bytes: Manifest.frameBlocks * Page.size)
    private var open: (path: String, descriptor: FileDescriptor)?
    /// Files that are kept for the end.
    private(set) var decisive: [(path: String, content: [UInt8])] = []

    init(snapshot: SnapshotReader, tree: ExportTree, progress: any WorkProgress) {
        manifest = snapshot.manifest
        self.tree = tree
        self.progress = progress
        reader = FrameReader(snapshot)
    }

    deinit { try? open?.descriptor.close() }

    mutating func write(_ scheduled: ScheduledGroup) async throws {
        try await reader.load(scheduled.group)
        for target in scheduled.targets {
            let content = buffer.bytes.prefixed(manifest.contentBytes(of: target))
            try reader.expand(target.location, of: scheduled.group, into: content)
            switch target.content {
            case .blocks(let fork, let frame):
                try writeBlocks(manifest.forks[fork], manifest.frames[frame], UnsafeRawBufferPointer(content))
            case .file(let index, let offset, _):
                let path = manifest.files[index].path
                if ExportLayout.decisive.contains(path) {
                    decisive.append((path, Array(content)))
                } else {
                    try write(UnsafeRawBufferPointer(content), to: path, at: offset, mode: manifest.files[index].mode)
                }
            }
            progress.advance(bytes: content.count)
        }
    }

    private mutating func writeBlocks(_ fork: ForkEntry, _ frame: FrameEntry, _ pages: UnsafeRawBufferPointer) throws {
        let segmentBlocks = manifest.identity.segmentBlocks
        var done = 0
        for run in manifest.runs[frame.firstRun..<frame.firstRun + frame.runCount] {
            var block = Int(run.start)
            while block < run.end {  // a run may cross into the next segment file
                let (segment, within) = block.quotientAndRemainder(dividingBy: segmentBlocks)
                let count = min(run.end - block, segmentBlocks - within)
                try write(
                    pages.slice(done * Page.size, count * Page.size),
                    to: tree.layout.path(of: fork.key, segment: segment), at: within * Page.size,
                    mode: tree.layout.fileMode)
                done += count
                block += count
            }
        }
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer, to path: String, at offset: Int, mode: UInt16) throws {
        if open?.path != path {
            try open?.descriptor.close()
            open = nil
            open = (path, try tree.open(path, mode: mode))
        }
        do { _ = try open!.descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes) } catch {
            throw InterchangeError.io("\(tree.root.appending(path)): write: \(error)")
        }
    }
}
