import Foundation
import PostgresFormat
import SystemPackage
import TestSupport
import Testing

@testable import WALRedo
@testable import WALReplay

@Suite("The page index of a WAL segment", .timeLimit(.minutes(10)))
struct WALPageIndexTests {
    /// Relations that are cut, dropped, moved and copied, and visibility maps that are cleared and cut.
    private static let more = """
        set allow_in_place_tablespaces = on; create tablespace kept location '';
        create table apart (a int primary key, b text) tablespace kept;
        insert into apart select i, repeat('b', 100) from generate_series(1, 3000) i;
        vacuum apart; update apart set b = 'c' where a % 100 = 0; select * from apart where a < 50 for update;
        create table l (a int primary key); insert into l select generate_series(1, 200000);
        vacuum l; delete from l where a > 1000; vacuum (truncate on) l;
        insert into l select generate_series(300000, 310000);
        alter table apart set tablespace pg_default; create index on apart (b) tablespace kept;
        begin; insert into apart values (-1); savepoint s; truncate apart; insert into apart values (-2); commit;
        """

    private static func cluster(_ major: Int) throws -> PostgresCluster {
        let cluster = try RedoWorkshop.plainCluster(major, WALWorkload.configuration)
        try WALWorkload.run(cluster)
        try cluster.psql(more)
        return cluster
    }

    private static func copyDatabase(_ cluster: PostgresCluster) throws {
        let strategy = cluster.installation.major >= 15 ? " strategy file_copy" : ""
        try cluster.psql("create database twin template template0" + strategy)
        try cluster.psql("create table own (a int); insert into own values (1); analyze", database: "twin")
    }

    @Test("it tells what the records tell, and no more than a few per cent", arguments: PostgresInstallation.majors)
    func agreement(major: Int) throws {
        let cluster = try Self.cluster(major)
        try cluster.stop()
        let wal = try IndexedWAL(cluster)
        #expect(wal.indexes.count > 10 && wal.positions.count > 1000 && wal.effects.count > 100)
        var found: [PageKey: [WALPageIndex.Position]] = [:]
        for index in wal.indexes {
            for fork in index.touchedForks {
                try index.forEachPosition(of: fork) { block, position in
                    found[PageKey(fork: fork, block: block), default: []].append(position)
                }
            }
        }
        #expect(found == wal.positions)
        for (page, positions) in wal.positions {
            let one = try wal.indexes.flatMap { try $0.positions(of: page) }
            if one != positions { Issue.record("\(page): \(one), not \(positions)") }
        }
        #expect(try wal.indexes.flatMap { try $0.effectPositions() } == wal.effects)
        #expect(wal.indexes.map(\.newestXid).max() == wal.newestXid)
        #expect(wal.clearings > 0)
        let whole = wal.indexes.dropFirst().dropLast()
        let size = whole.reduce(0) { $0 + $1.bytes.count }
        #expect(size * 25 < whole.count * IndexedWAL.segmentSize, "\(size) bytes for \(whole.count) segments")
        try compareWithFinished(wal, major)
    }

    /// What is made of a finished segment alone is what was made as the WAL went by.
    private func compareWithFinished(_ wal: IndexedWAL, _ major: Int) throws {
        var scan = WALPageIndexScan(wal.segments[0].segment, major: major)
        for (position, index) in wal.indexes.enumerated().dropFirst() {
            let (segment, content) = wal.segments[position]
            let following = position + 1 < wal.segments.count ? wal.segments[position + 1].content : []
            let used = min(segment.size, Int(wal.end.rawValue - segment.startLSN.rawValue))
            try content[..<used].withUnsafeBytes { content in
                try following.withUnsafeBytes { following in
                    let made = try WALPageIndex.build(segment, content, following: following, with: &scan)
                    #expect(made.bytes == index.bytes && made.end == index.end)
                    guard !following.isEmpty else { return }
                    let none = UnsafeRawBufferPointer(start: nil, count: 0)
                    let alone = try WALPageIndex.build(segment, content, following: none, with: &scan)
                    // Nothing but the record that goes on in the next segment is missing.
                    #expect(alone.end <= index.end && alone.pageCount <= index.pageCount)
                }
            }
        }
    }

    @Test("pages are what replay makes of them, at any point", arguments: PostgresInstallation.majors)
    func reconstruction(major: Int) throws {
        let cluster = try RedoWorkshop.plainCluster(major, WALWorkload.configuration)
        try WALWorkload.run(cluster)
        let first = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
        try cluster.psql(Self.more)
        try Self.copyDatabase(cluster)
        try cluster.stop()
        let wal = try IndexedWAL(cluster)
        let base = try BaseDirectory(FilePath(RedoWorkshop.baseDirectory(cluster)))
        var origins: [String: Int] = [:]
        for end in [first, wal.end] {
            let replay = try RedoWorkshop.replay(cluster, to: end)
            try #require(replay.report.isSound)
            try compare(replay, wal, base, end, &origins)
        }
        #expect(origins["record", default: 0] > 1000, "\(origins)")
        #expect(origins["base", default: 0] > 100 && origins["copy", default: 0] > 10, "\(origins)")
    }

    private func compare(
        _ replay: ClusterReplay, _ wal: IndexedWAL, _ base: BaseDirectory, _ end: LSN, _ origins: inout [String: Int]
    ) throws {
        let redo = PageRedo(major: base.major, logsHints: true)
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: 2 * Page.size, alignment: 8)
        defer { bytes.deallocate() }
        let (page, expected) = (RedoPage(bytes), bytes + Page.size)
        try wal.withReconstruction(redo) { reconstruction in
            for fork in replay.pages.touched where fork.fork != .freeSpaceMap {
                for block in 0..<(try replay.pages.blockCount(fork) ?? 0) {
                    let key = PageKey(fork: fork, block: block)
                    let history = try PageHistory(of: key, before: end, in: wal.indexes)
                    memset(page.bytes, 0, Page.size)
                    switch history.origin {
                    case .record: origins["record", default: 0] += 1
                    case .nothing: origins["nothing", default: 0] += 1
                    case .base(let source):
                        origins[source == key ? "base" : "copy", default: 0] += 1
                        if try !base.readPage(source.fork, source.block, into: page.bytes) {
                            memset(page.bytes, 0, Page.size)
                        }
                    }
                    try reconstruction.rebuild(history, in: page)
                    _ = try replay.pages.copy(key, into: expected)
                    if memcmp(page.bytes, expected, Page.size) != 0 { Issue.record("\(key): \(history)") }
                }
            }
        }
    }

    @Test("all pages of a fork at once are those that are made one by one", arguments: [14, 18])
    func wholeForks(major: Int) throws {
        let cluster = try Self.cluster(major)
        try Self.copyDatabase(cluster)
        try cluster.stop()
        let wal = try IndexedWAL(cluster)
        let base = try BaseDirectory(FilePath(RedoWorkshop.baseDirectory(cluster)))
        let replay = try RedoWorkshop.replay(cluster)
        let expected = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: 8)
        defer { expected.deallocate() }
        var last: [RelationFork: UInt32] = [:]
        for index in wal.indexes {
            for fork in index.touchedForks where fork.fork != .freeSpaceMap {
                last[fork] = max(last[fork] ?? 0, try #require(try index.lastBlock(of: fork)))
            }
        }
        var (visited, gone) = (0, 0)
        try wal.withReconstruction(PageRedo(major: major, logsHints: true)) { reconstruction in
            for (fork, last) in last {
                let blocks = try replay.pages.blockCount(fork) ?? 0
                var found: Set<UInt32> = []
                // In parts, so that one begins in the middle.
                for part in [0..<(last + 1) / 2, (last + 1) / 2..<last + 1] {
                    try reconstruction.rebuildAll(of: fork, part, in: wal.indexes) { key, page in
                        if try !base.readPage(key.fork, key.block, into: page.bytes) {
                            memset(page.bytes, 0, Page.size)
                        }
                    } visit: { block, page in
                        found.insert(block)
                        _ = try replay.pages.copy(PageKey(fork: fork, block: block), into: expected)
                        if block >= blocks || memcmp(page.bytes, expected, Page.size) != 0 {
                            Issue.record("\(fork) block \(block) of \(blocks)")
                        }
                    }
                }
                visited += found.count
                for page in wal.positions.keys where page.fork == fork && !found.contains(page.block) {
                    gone += 1
                    if page.block < blocks { Issue.record("\(page) was left out") }
                }
            }
        }
        #expect(visited > 500 && gone > 500, "\(visited) and \(gone)")
    }

    @Test("what is damaged is an error", arguments: [14, 18])
    func damage(major: Int) throws {
        let cluster = try Self.cluster(major)
        try cluster.stop()
        var random = SeededGenerator()
        for index in try IndexedWAL(cluster).indexes {
            for _ in 0..<100 {
                var bytes = index.bytes
                switch random.next() % 3 {
                case 0: bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 << (random.next() % 8))
                case 1: bytes.removeLast(Int(random.next() % UInt64(bytes.count)) + 1)
                default: bytes += random.bytes(Int(random.next() % 20) + 1)
                }
                #expect(throws: FormatError.self, "seed \(random.seed)") { try WALPageIndex(parsing: bytes) }
            }
        }
    }

    @Test("damage that the checksum does not show is an error, or nothing is read behind an end")
    func hiddenDamage() throws {
        let cluster = try Self.cluster(18)
        try cluster.stop()
        var random = SeededGenerator()
        var (refused, read) = (0, 0)
        for index in try IndexedWAL(cluster).indexes {
            for _ in 0..<300 {
                var bytes = index.bytes
                let content = bytes.count - WALPageIndexLayout.crcSize
                for _ in 0...random.next() % 4 {
                    // The numbers at the beginning more often than what follows.
                    let range = random.next() & 1 == 0 ? min(content, 400) : content
                    bytes[Int(random.next() % UInt64(range))] = UInt8(truncatingIfNeeded: random.next())
                }
                WALPageIndexEncoder.seal(&bytes)
                do {
                    let damaged = try WALPageIndex(parsing: bytes)
                    for fork in damaged.touchedForks {
                        try damaged.forEachPosition(of: fork) { _, _ in }
                        _ = try damaged.positions(of: PageKey(fork: fork, block: 7))
                    }
                    _ = try damaged.effectPositions()
                    read += 1
                } catch { refused += 1 }
            }
        }
        #expect(refused > 100 && read > 100, "seed \(random.seed): \(refused) and \(read)")
    }
}
