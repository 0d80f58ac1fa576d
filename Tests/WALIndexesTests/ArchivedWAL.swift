import Foundation
import ObjectStorage
import PostgresFormat
import TestSupport
import Testing
import WALArchive
import WALIndexes
import WALRedo

/// A server's WAL in an archive, unpacked, and all that is asked of the storage.
struct ArchivedWAL {
    static let segmentSize = 1 << 20
    let memory = MemoryObjectStore()
    let store: FaultInjectingStore
    let archive: WALArchiveReader
    let indexes: WALIndexWriter
    let major: Int
    /// Those that are full, in order.
    private(set) var segments: [WALSegment] = []

    /// - Parameter statements: What is done at last.
    init(_ major: Int, _ statements: [String] = []) async throws {
        let cluster = try PostgresCluster(
            major: major,
            .init(walSegmentMegabytes: 1, configuration: ["wal_keep_size = 1GB", "autovacuum = off"]))
        try cluster.start()
        try cluster.psql("create table t as select i, repeat('x', 100) from generate_series(1, 30000) i")
        for statement in statements { try cluster.psql(statement) }
        let end = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
        try cluster.stop()
        self.major = major
        store = FaultInjectingStore(memory)
        archive = WALArchiveReader(store, prefix: "wal_005/")
        indexes = WALIndexWriter(store, prefix: "wal_index_001/")
        let directory = cluster.dataDirectory + "/pg_wal/"
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        for segment in names.compactMap({ WALSegment(fileName: $0, size: Self.segmentSize) })
        where segment.startLSN < end {
            let content = try #require(FileManager.default.contents(atPath: directory + segment.fileName))
            memory.replace(Self.key(segment), with: Array(content))
            if segment.endLSN <= end { segments.append(segment) }
        }
        try #require(segments.count > 3)
    }

    static func key(_ segment: WALSegment) -> ObjectKey { ObjectKey("wal_005/\(segment)") }
    static func indexKey(_ segment: WALSegment) -> ObjectKey { ObjectKey("wal_index_001/\(segment)") }

    func content(_ segment: WALSegment) throws -> [UInt8] { try #require(memory.bytes(Self.key(segment))) }

    func maker() async throws -> WALIndexMaker {
        let walk = try await WALWalk(archive)
        return WALIndexMaker(archive, chain: walk.chain, major: walk.major)
    }

    /// Made of the segment's bytes and all that follow.
    func expected(_ segment: WALSegment) throws -> WALPageIndex {
        var following: [UInt8] = []
        var next = segment.next
        while let content = memory.bytes(Self.key(next)) {
            following += content
            next = next.next
        }
        var scan = WALPageIndexScan(segment, major: major)
        return try content(segment).withUnsafeBytes { content in
            try following.withUnsafeBytes { following in
                try WALPageIndex.build(segment, content, following: following, with: &scan)
            }
        }
    }

    /// How often the WAL itself was read.
    var walReads: Int { store.records.count { $0.operation == .get && $0.keys[0].hasPrefix("wal_005/") } }
}
