import CChecksum
import Foundation
import ObjectStorage
import PostgresFormat
import Synchronization
import TestSupport
import Testing
import WALArchive
import WALIndexes
import WALRedo

@Suite("Page indexes beside an archive", .timeLimit(.minutes(10)))
struct WALIndexTests {
    @Test("are made of segments, kept, and read without them", arguments: PostgresInstallation.majors)
    func kept(major: Int) async throws {
        let wal = try await ArchivedWAL(major)
        let maker = try await wal.maker()
        for segment in wal.segments {
            let index = try #require(try await maker.index(of: segment))
            #expect(try index.bytes == wal.expected(segment).bytes && index.end == segment.endLSN)
            try await wal.indexes.put(index)
            #expect(wal.memory.bytes(ArchivedWAL.indexKey(segment)) == index.bytes)
        }
        let reads = wal.walReads
        for segment in wal.segments {
            guard case .sound(let index) = try await wal.indexes.reader.find(segment) else {
                Issue.record("the index of \(segment) is not found")
                continue
            }
            #expect(index.bytes == wal.memory.bytes(ArchivedWAL.indexKey(segment)))
        }
        #expect(reads > 0 && wal.walReads == reads)
    }

    @Test("are made anew where they are damaged, and where they are of another segment, another version or a part")
    func damaged() async throws {
        let wal = try await ArchivedWAL(15)
        let segment = wal.segments[1]
        let sound = try wal.expected(segment).bytes
        func changed(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
            var bytes = sound
            change(&bytes)
            let crc = bytes.withUnsafeBytes { cchecksum_crc32c(0, $0.baseAddress, $0.count - 4) }
            withUnsafeBytes(of: crc.littleEndian) { bytes.replaceSubrange((bytes.count - 4)..., with: $0) }
            return bytes
        }
        try #require(changed { _ in } == sound)
        var flipped = sound
        flipped[sound.count / 2] ^= 1
        let cases = [
            flipped, Array(sound.dropLast()), [], Array("not an index".utf8), try wal.expected(wal.segments[2]).bytes,
            changed { $0[8] = 2 }, changed { $0[33] ^= 1 },
        ]
        let index = try #require(try await wal.maker().index(of: segment))
        for (number, bytes) in cases.enumerated() {
            wal.memory.replace(ArchivedWAL.indexKey(segment), with: bytes)
            guard case .damaged(let reason) = try await wal.indexes.reader.find(segment) else {
                Issue.record("case \(number) is taken for sound")
                continue
            }
            #expect(!reason.isEmpty)
            try await wal.indexes.put(index)
            #expect(wal.memory.bytes(ArchivedWAL.indexKey(segment)) == sound, "case \(number)")
        }
        wal.memory.replace(ArchivedWAL.indexKey(segment), with: nil)
        guard case .missing = try await wal.indexes.reader.find(segment) else {
            Issue.record("one that is not there is found")
            return
        }
    }

    @Test("have a record that goes on in other segments, also in those of the timeline that followed")
    func longRecord() async throws {
        let wal = try await ArchivedWAL(
            16, ["select pg_logical_emit_message(true, 'p', repeat('x', 3500000))", "insert into t values (0, 'y')"])
        let maker = try await wal.maker()
        var lengths: [Int] = []
        for segment in wal.segments {
            let index = try #require(try await maker.index(of: segment))
            #expect(try index.bytes == wal.expected(segment).bytes)
            lengths.append(index.pageCount)
        }
        // Segments that no record begins in.
        try #require(lengths.count { $0 == 0 } >= 2)
        let place = try #require(lengths.firstIndex(of: 0)) - 1
        let (segment, second, third) = (wal.segments[place], wal.segments[place + 1], wal.segments[place + 2])
        let sound = try wal.expected(segment).bytes

        let content = try wal.content(third)
        wal.memory.replace(ArchivedWAL.key(third), with: nil)
        #expect(try await maker.index(of: segment) == nil)
        // A timeline that branched off in it has what was before.
        let branch = WALSegment(timeline: 2, number: third.number, size: third.size)
        wal.memory.replace(ArchivedWAL.key(branch), with: content)
        let history = "1\t\(LSN(rawValue: third.startLSN.rawValue + 4096))\tmade up\n"
        wal.memory.replace("wal_005/00000002.history", with: Array(history.utf8))
        for later in wal.segments where later.number > third.number {
            let moved = WALSegment(timeline: 2, number: later.number, size: later.size)
            wal.memory.replace(ArchivedWAL.key(moved), with: try wal.content(later))
            wal.memory.replace(ArchivedWAL.key(later), with: nil)
        }
        let branched = try await wal.maker()
        #expect(try await branched.index(of: segment)?.bytes == sound)
        #expect(try await branched.index(of: second)?.pageCount == 0)
    }

    @Test("are not made of what is not whole, and not of what is damaged")
    func incomplete() async throws {
        let wal = try await ArchivedWAL(14)
        let maker = try await wal.maker()
        let (segment, next) = (wal.segments[2], wal.segments[3])
        try #require(try await maker.index(of: segment) != nil)
        let content = try wal.content(segment)
        wal.memory.replace(ArchivedWAL.key(segment), with: Array(content[..<500_000]))
        #expect(try await maker.index(of: segment) == nil)
        var flipped = content
        flipped[500_000] ^= 1
        wal.memory.replace(ArchivedWAL.key(segment), with: flipped)
        await #expect(throws: FormatError.self) { try await maker.index(of: segment) }
        wal.memory.replace(ArchivedWAL.key(segment), with: nil)
        #expect(try await maker.index(of: segment) == nil)
        wal.memory.replace(ArchivedWAL.key(segment), with: content)
        let other = WALIndexMaker(wal.archive, chain: try await WALWalk(wal.archive).chain, major: 17)
        await #expect(throws: FormatError.self) { try await other.index(of: segment) }
        // What failed before is not in the way.
        #expect(try await maker.index(of: next)?.bytes == wal.expected(next).bytes)
        wal.store.add(.init(.refused(.unavailable), .get, keyContains: "wal_005/"))
        await #expect(throws: ObjectStoreError.self) { try await maker.index(of: segment) }
    }

    @Test("lie beside the WAL, and never in it or in a data directory")
    func names() {
        #expect(WALIndexNames.prefix(besideWAL: "wal_005/") == "wal_index_001/")
        #expect(WALIndexNames.prefix(besideWAL: "timelines/ab/wal_005/") == "timelines/ab/wal_index_001/")
        for prefix in ["", "pg_wal/", "wal_005", "wal/"] { #expect(WALIndexNames.prefix(besideWAL: prefix) == nil) }
        #expect(WALIndexNames.path(besideWAL: "/srv/safekeeper/wal") == "/srv/safekeeper/wal_index")
        #expect(WALIndexNames.path(besideWAL: "/srv/archive/wal_005") == "/srv/archive/wal_index_001")
        for path in ["", "/", "/srv/data/pg_wal"] { #expect(WALIndexNames.path(besideWAL: path) == nil) }
    }

    @Test("a walk passes segments, and ends as one that reads all", arguments: [0, 1, 2, 3])
    func walk(seed: Int) async throws {
        let wal = try await ArchivedWAL(
            17, ["select pg_logical_emit_message(true, 'p', repeat('x', 2500000))", "select pg_switch_wal()"])
        var generator = SeededGenerator(seed: UInt64(seed))
        let (damaged, last) = (wal.segments[2], wal.segments.last!)
        // Begun, and nothing has come.
        if seed == 1 { wal.memory.replace(ArchivedWAL.key(last.next), with: [UInt8](repeating: 0, count: 1 << 20)) }
        if seed == 2 {
            var content = try wal.content(damaged)
            content[500_000] ^= 1
            wal.memory.replace(ArchivedWAL.key(damaged), with: content)
        }
        let walk = try await WALWalk(wal.archive)
        for _ in 0..<30 {
            var unwanted = Set(wal.segments.filter { _ in Bool.random(using: &generator) })
            // Damage in what is not read is not found.
            if seed == 2 { unwanted.remove(damaged) }
            let end = Bool.random(using: &generator) ? wal.segments.randomElement(using: &generator)!.endLSN : nil
            let start =
                Bool.random(using: &generator)
                ? wal.segments.dropLast().randomElement(using: &generator)!.startLSN : nil
            let (passed, walk) = (unwanted, start == nil ? walk : try await WALWalk(wal.archive, start: start))
            let wanted: @Sendable (LSN) -> Bool = { lsn in
                !passed.contains(WALSegment(timeline: 1, holding: lsn, size: ArchivedWAL.segmentSize))
            }
            let (all, some) = (Listed(), Listed())
            let whole = try await walk.run(to: end) { record in
                if wanted(record.startLSN) { all.add(record.startLSN) }
                return true
            }
            let before = wal.walReads
            let passes: @Sendable (WALSegment) -> Bool = { passed.contains($0) }
            let passing = try await walk.run(to: end, passing: passes) { record in
                if wanted(record.startLSN) { some.add(record.startLSN) }
                return true
            }
            #expect(
                all.positions == some.positions && whole == passing,
                "\(unwanted) \(String(describing: start)) \(String(describing: whole)) \(String(describing: passing))")
            if unwanted.count == wal.segments.count { #expect(wal.walReads - before <= 4) }
        }
    }
}

private final class Listed: Sendable {
    private let list = Mutex<[LSN]>([])
    var positions: [LSN] { list.withLock { $0 } }
    func add(_ lsn: LSN) { list.withLock { $0.append(lsn) } }
}
