import Foundation
import PostgresFormat
import SystemPackage
import TestSupport
import Testing
import WALReplay

@testable import WALRedo

/// A cluster's WAL since its data directory was made, with the page indexes of its segments and a plain list of the same.
struct IndexedWAL {
    static let segmentSize = 1 << 20
    private(set) var segments: [(segment: WALSegment, content: [UInt8])] = []
    private(set) var indexes: [WALPageIndex] = []
    private(set) var end = LSN.invalid
    /// All records of each page, put together record by record.
    private(set) var positions: [PageKey: [WALPageIndex.Position]] = [:]
    private(set) var effects: [LSN] = []
    private(set) var newestXid: UInt32 = 0
    /// How often a page of a visibility map is changed, whether the record names it or not.
    private(set) var clearings = 0

    init(_ cluster: PostgresCluster) throws {
        let size = Self.segmentSize
        let directory = cluster.dataDirectory + "/pg_wal"
        let start = try BaseDirectory(FilePath(RedoWorkshop.baseDirectory(cluster))).control.checkpointCopy.redo
        let major = cluster.installation.major
        let found = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            .compactMap { WALSegment(fileName: $0, size: size) }.filter { $0.endLSN > start }
        var builder = WALPageIndexBuilder(found[0], major: major)
        var reader = WALRecordReader(startingAt: start, segmentSize: size, major: major)
        search: for segment in found {
            let content = try Array(Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(segment.fileName)")))
            segments.append((segment, content))
            let isOver = try content.withUnsafeBytes { content in
                var rest = UnsafeRawBufferPointer(
                    rebasing: content[max(0, Int(start.rawValue) - Int(segment.startLSN.rawValue))...])
                do {
                    while let record = try reader.next(&rest) {
                        while record.startLSN >= builder.segment.endLSN {
                            indexes.append(builder.finish(end: builder.segment.endLSN))
                            builder.begin(builder.segment.next)
                        }
                        try builder.add(record)
                        try list(record, major)
                    }
                } catch is FormatError { return true }
                return false
            }
            if isOver { break search }
        }
        let last = reader.lastRecordEnd
        end = try #require(last)
        indexes.append(builder.finish(end: end))
        segments.removeAll { $0.segment.startLSN >= end }
    }

    private mutating func list(_ record: WALRecord, _ major: Int) throws {
        func add(_ page: PageKey, _ flags: WALPageIndex.Flags) {
            positions[page, default: []].append(WALPageIndex.Position(lsn: record.startLSN, flags: flags))
        }
        for block in record.blocks {
            var flags: WALPageIndex.Flags = block.initializes ? .initializes : []
            if block.image?.applies == true { flags.insert(.image) }
            add(block.page, flags)
        }
        let cleared = try VisibilityChange.all(record).map {
            PageKey(fork: $0.relation.fork(.visibilityMap), block: $0.block)
        }
        clearings += cleared.count
        for page in Set(cleared) where !record.blocks.contains(where: { $0.page == page }) { add(page, .clearsMap) }
        var found: [RecordEffect] = []
        try RecordEffects(major: major).append(of: record, to: &found)
        var isListed = false
        for effect in found {
            if case .xidUsed(let xid) = effect { newestXid = max(newestXid, xid) } else { isListed = true }
        }
        if isListed { effects.append(record.startLSN) }
    }

    /// The bytes stay as long as the closure runs.
    func withReconstruction<Result>(
        _ redo: PageRedo, _ body: (inout PageReconstruction) throws -> Result
    ) throws -> Result {
        let copies = segments.map { segment in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: segment.content.count, alignment: 8)
            copy.copyBytes(from: segment.content)
            return copy
        }
        defer { for copy in copies { copy.deallocate() } }
        let records = WALRecordFetcher(
            first: segments[0].segment, copies.map { UnsafeRawBufferPointer($0) }, major: redo.major)
        var reconstruction = PageReconstruction(records, redo: redo)
        return try body(&reconstruction)
    }
}
