import PostgresFormat
import Snapshots

/// One fork to read: its segment files in order.
struct ForkSource: Sendable {
    let key: RelationFork
    /// The segment files that hold blocks, each with its path.
    let segments: [String]
    let blockCount: Int
}

/// One file that is not a relation's.
struct FileSource: Sendable {
    let entry: SourceEntry
    /// How much of its beginning is carried; zero follows up to its size.
    let contentBytes: Int
}

/// A piece of the work, small enough to share among workers and large enough to lie together in a pack.
enum ImportUnit: Sendable {
    case blocks(fork: Int, first: Int, count: Int)
    case file(Int)
}

/// All that an import will read, decided before anything is written.
struct ImportPlan: Sendable {
    private(set) var forks: [ForkSource] = []
    private(set) var files: [FileSource] = []
    private(set) var directories: [SourceEntry] = []
    private(set) var units: [ImportUnit] = []
    let segmentBlocks: Int

    var totalBytes: Int {
        forks.reduce(0) { $0 + $1.blockCount * Page.size } + files.reduce(0) { $0 + $1.contentBytes }
    }

    /// Blocks of a unit: 16 MiB.
    private static let unitBlocks = 32 * Manifest.frameBlocks

    init(source: any DataDirectorySource, entries: [SourceEntry], facts: ClusterFacts) throws {
        segmentBlocks = Int(facts.control.segmentBlocks)
        var segments: [RelationFork: [(segment: Int, entry: SourceEntry)]] = [:]
        let wal = Dictionary(uniqueKeysWithValues: facts.walSegments.map { ($0.path, $0.contentBytes) })
        for entry in entries {
            if entry.isDirectory {
                if belongs(entry.path, facts) { directories.append(entry) }
                continue
            }
            let (directory, name) = split(entry.path)
            if directory == "pg_wal" {
                if let content = wal[entry.path] {
                    let size = SourceEntry(
                        path: entry.path, isDirectory: false, mode: entry.mode,
                        sizeBytes: facts.control.walSegmentSize)
                    files.append(FileSource(entry: size, contentBytes: content))
                } else if name.hasSuffix(".history") {
                    files.append(FileSource(entry: entry, contentBytes: entry.sizeBytes))
                }
                continue
            }
            guard belongs(entry.path, facts), !directory.hasPrefix("pg_wal/") else { continue }
            switch DataDirectoryPath.classify(entry.path) {
            case .relation(let key, let segment): segments[key, default: []].append((segment, entry))
            case .temporaryRelation: continue
            default: files.append(FileSource(entry: entry, contentBytes: entry.sizeBytes))
            }
        }
        forks = try segments.map { try Self.assemble($0.key, $0.value, segmentBlocks, source.name) }
            .sorted { $0.key < $1.key }
        files.sort { $0.entry.path.utf8.lexicographicallyPrecedes($1.entry.path.utf8) }
        for (index, fork) in forks.enumerated() {
            for first in stride(from: 0, to: fork.blockCount, by: Self.unitBlocks) {
                units.append(.blocks(fork: index, first: first, count: min(Self.unitBlocks, fork.blockCount - first)))
            }
        }
        units += files.indices.map { .file($0) }
    }

    /// False for what another version's cluster keeps in a shared tablespace.
    private func belongs(_ path: String, _ facts: ClusterFacts) -> Bool {
        let parts = path.split(separator: "/", maxSplits: 3)
        return parts.count < 3 || parts[0] != "pg_tblspc" || parts[2] == facts.tablespaceVersionDirectory
    }

    private static func assemble(
        _ key: RelationFork, _ found: [(segment: Int, entry: SourceEntry)], _ segmentBlocks: Int, _ name: String
    ) throws -> ForkSource {
        let sorted = found.sorted { $0.segment < $1.segment }
        for (_, entry) in sorted where entry.sizeBytes % Page.size != 0 {
            throw InterchangeError.corrupt(
                "\(name): \(entry.path) is \(entry.sizeBytes) bytes long, which is not a multiple of \(Page.size)")
        }
        // PostgreSQL leaves empty segment files behind when it shortens a relation.
        let filled = sorted.filter { $0.entry.sizeBytes > 0 }
        for (index, (segment, entry)) in filled.enumerated() {
            guard segment == index else {
                throw InterchangeError.corrupt("\(name): \(entry.path) is there, but the segment before it is missing")
            }
            let blocks = entry.sizeBytes / Page.size
            guard blocks == segmentBlocks || (index == filled.count - 1 && blocks < segmentBlocks) else {
                throw InterchangeError.corrupt(
                    "\(name): \(entry.path) has \(blocks) blocks; a segment of this cluster has \(segmentBlocks)")
            }
        }
        let blockCount = filled.reduce(0) { $0 + $1.entry.sizeBytes / Page.size }
        guard blockCount < Int(UInt32.max) else {
            throw InterchangeError.corrupt("\(name): \(sorted[0].entry.path) has too many blocks")
        }
        return ForkSource(key: key, segments: filled.map(\.entry.path), blockCount: blockCount)
    }
}
