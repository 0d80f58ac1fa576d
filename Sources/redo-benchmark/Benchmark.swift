import Dispatch
import Glibc
import PostgresFormat
import Synchronization
import SystemPackage
import WALRedo
import WALReplay

struct Benchmark: Sendable {
    let wal: MappedSegments
    let basePath: FilePath
    let threads: Int

    func decode() throws {
        for _ in 0..<3 {
            let watch = Stopwatch()
            var (records, blocks) = (0, 0)
            try wal.forEachRecord { record in
                records += 1
                blocks += record.blocks.count
            }
            watch.report("decode", [("records", records), ("blocks", blocks), ("bytes", wal.byteCount)])
        }
    }

    func index() throws {
        for _ in 0..<3 {
            let watch = Stopwatch()
            let indexes = try makeIndexes()
            let size = indexes.reduce(0) { $0 + $1.bytes.count }
            let pages = indexes.reduce(0) { $0 + $1.pageCount }
            watch.report("index", [("bytes", wal.byteCount), ("size", size), ("pages", pages)])
        }
    }

    private func makeIndexes() throws -> [WALPageIndex] {
        let next = Atomic<Int>(0)
        let results = Mutex<[Int: WALPageIndex]>([:])
        try onEachThread {
            var scan = WALPageIndexScan(wal.segments[0], major: wal.major)
            while true {
                let number = next.add(1, ordering: .relaxed).oldValue
                guard number < wal.segments.count else { return }
                let following =
                    number + 1 < wal.segments.count
                    ? wal.contents[number + 1] : UnsafeRawBufferPointer(start: nil, count: 0)
                let index = try WALPageIndex.build(
                    wal.segments[number], wal.contents[number], following: following, with: &scan)
                results.withLock { $0[number] = index }
            }
        }
        return results.withLock { found in wal.segments.indices.map { found[$0]! } }
    }

    /// Does the same on all threads, and throws what the first of them threw.
    private func onEachThread(_ body: @Sendable () throws -> Void) throws {
        let failure = Mutex<(any Error)?>(nil)
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            do { try body() } catch { failure.withLock { $0 = $0 ?? error } }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    // MARK: - Record by record

    /// All records, with every page in memory: the second time all of them are there already, and come from images.
    /// Only heap and btree records are counted; `otherMicroseconds` is how long the others took.
    func redo() throws {
        let redo = PageRedo(major: wal.major, logsHints: true)
        let base = try BaseDirectory(basePath)
        let start = base.control.checkpointCopy.redo
        var pages = PageTable()
        for _ in 0..<2 {
            let watch = Stopwatch()
            var (records, blocks) = (0, 0)
            var otherSeconds = 0.0
            try wal.forEachRecord(from: start) { record in
                let isCounted = record.manager == .heap || record.manager == .btree
                let began = isCounted ? 0 : Stopwatch.now(CLOCK_MONOTONIC)
                defer { if !isCounted { otherSeconds += Stopwatch.now(CLOCK_MONOTONIC) - began } }
                if isCounted { records += 1 }
                blocks += record.blocks.count
                for index in record.blocks.indices {
                    let block = record.blocks[index]
                    let (bytes, isNew) = pages.page(block)
                    if isNew, !block.initializes, block.image?.applies != true {
                        _ = try base.readPage(block.page.fork, block.block, into: bytes)
                    }
                    _ = try redo.apply(record, index, to: RedoPage(bytes))
                }
            }
            let others = Int(otherSeconds * 1e6)
            watch.report("redo", [("records", records), ("blocks", blocks), ("otherMicroseconds", others)])
        }
    }

    // MARK: - Page by page

    func rebuild(isIndexed: Bool) throws {
        for _ in 0..<2 {
            let before = isIndexed ? try makeIndexes() : []
            let watch = Stopwatch()
            let indexes = isIndexed ? before : try makeIndexes()
            let parts = try self.parts(indexes)
            let next = Atomic<Int>(0)
            let pages = Atomic<Int>(0)
            let read = Atomic<Int>(0)
            try onEachThread {
                let base = try BaseDirectory(basePath)
                let redo = PageRedo(
                    major: wal.major, logsHints: base.control.dataChecksumVersion != 0 || base.control.walLogHints)
                let records = WALRecordFetcher(first: wal.segments[0], wal.contents, major: wal.major)
                var reconstruction = PageReconstruction(records, redo: redo)
                var (count, fromBase) = (0, 0)
                while true {
                    let number = next.add(1, ordering: .relaxed).oldValue
                    guard number < parts.count else { break }
                    try reconstruction.rebuildAll(of: parts[number].fork, parts[number].blocks, in: indexes) {
                        key, page in
                        fromBase += 1
                        if try !base.readPage(key.fork, key.block, into: page.bytes) {
                            memset(page.bytes, 0, Page.size)
                        }
                    } visit: { _, _ in
                        count += 1
                    }
                }
                pages.add(count, ordering: .relaxed)
                read.add(fromBase, ordering: .relaxed)
            }
            watch.report(
                isIndexed ? "rebuild-indexed" : "rebuild",
                [
                    ("pages", pages.load(ordering: .relaxed)), ("read", read.load(ordering: .relaxed)),
                    ("bytes", wal.byteCount),
                ])
        }
    }

    private struct Part {
        let fork: RelationFork
        let blocks: Range<UInt32>
    }

    private static let blocksPerPart: UInt32 = 8192

    /// Free space maps are left out, as PostgreSQL's are made anew.
    private func parts(_ indexes: [WALPageIndex]) throws -> [Part] {
        var last: [RelationFork: UInt32] = [:]
        for index in indexes {
            for fork in index.touchedForks where fork.fork != .freeSpaceMap {
                last[fork] = max(last[fork] ?? 0, try index.lastBlock(of: fork) ?? 0)
            }
        }
        var parts: [Part] = []
        for (fork, last) in last.sorted(by: { $0.value > $1.value }) {
            for start in stride(from: 0, through: last, by: Int(Self.blocksPerPart)) {
                let end = min(start + (Self.blocksPerPart - 1), last) + 1
                parts.append(Part(fork: fork, blocks: start..<end))
            }
        }
        return parts
    }
}
