import Foundation
import PostgresFormat
import SystemPackage
import TestSupport
import Testing

@testable import WALStore

/// WAL as a real server writes it, in segments of 1 MiB: some transactions, some records over many pages, a switch.
enum SampleWAL {
    static let segmentSize = 1 << 20

    struct Sample: Sendable {
        let identity: ClusterIdentity
        let first: WALSegment
        /// Whole segments from `first` on, one after the other; what follows the end is zeros.
        let bytes: [UInt8]
        let end: LSN
    }

    static let shared = Result { try make() }

    private static func make() throws -> Sample {
        let cluster = try PostgresCluster(
            major: 15, .init(walSegmentMegabytes: 1, configuration: ["max_wal_size = 200MB", "min_wal_size = 100MB"]))
        try cluster.start()
        try cluster.psql("checkpoint")
        try cluster.psql("select pg_switch_wal()")
        let first = try cluster.psql("select pg_walfile_name(pg_current_wal_lsn())")
        try cluster.psql("create table t as select g, repeat('x', 100) from generate_series(1, 10000) g")
        try cluster.psql("select pg_logical_emit_message(true, 'long', repeat('y', 300000))")
        try cluster.psql("select pg_switch_wal()")
        try cluster.psql("create table u as select g, repeat('x', 100) from generate_series(1, 3000) g")
        let end = try #require(LSN(try cluster.psql("select pg_current_wal_insert_lsn()")))
        let control = try cluster.psql("select system_identifier from pg_control_system()")
        try cluster.stop(.immediate)
        let identity = ClusterIdentity(
            systemIdentifier: try #require(UInt64(control)), segmentSize: segmentSize, major: 15)
        var segment = try #require(WALSegment(fileName: first, size: segmentSize))
        let start = segment
        var bytes: [UInt8] = []
        while segment.startLSN < end {
            bytes += try Data(contentsOf: URL(fileURLWithPath: "\(cluster.dataDirectory)/pg_wal/\(segment.fileName)"))
            segment = segment.next
        }
        // A server's own files may be used again, with old WAL at their end.
        let count = Int(end.rawValue - start.startLSN.rawValue)
        for index in count..<bytes.count { bytes[index] = 0 }
        return Sample(identity: identity, first: start, bytes: bytes, end: end)
    }
}

@Suite("WAL on the local disk")
struct StoreTests {
    private let sample: SampleWAL.Sample
    private let directory: FilePath

    init() throws {
        sample = try SampleWAL.shared.get()
        directory = FilePath(NSTemporaryDirectory() + "zenith-walstore-\(UUID().uuidString)")
        try FileManager.default.createDirectory(atPath: directory.string, withIntermediateDirectories: true)
    }

    private func open() throws -> WALStore { try WALStore(path: directory, identity: sample.identity) }
    private func writer(_ store: WALStore) -> WALWriter {
        WALWriter(store, start: (sample.first.timeline, sample.first.startLSN))
    }
    private var count: Int { Int(sample.end.rawValue - sample.first.startLSN.rawValue) }
    private func remove() { try? FileManager.default.removeItem(atPath: directory.string) }

    @Test("the scanner finds the same records' ends whatever the pieces", arguments: [1, 7, 24, 4096, 8192, 1_000_000])
    func pieces(size: Int) throws {
        defer { remove() }
        var scanner = WALRecordScanner(
            startingAt: sample.first.startLSN, segmentSize: SampleWAL.segmentSize, checksCRC: true)
        try sample.bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < count {
                let piece = UnsafeRawBufferPointer(rebasing: bytes[offset..<min(count, offset + size)])
                try scanner.scan(piece)
                offset += piece.count
            }
        }
        #expect(scanner.lastRecordEnd == sample.end)
        #expect(scanner.systemIdentifier == sample.identity.systemIdentifier)
    }

    @Test("any changed byte of a record is found, and never a trap")
    func changed() throws {
        defer { remove() }
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            var bytes = sample.bytes
            let index = Int.random(in: 0..<count, using: &generator)
            bytes[index] ^= UInt8.random(in: 1...255, using: &generator)
            var scanner = WALRecordScanner(
                startingAt: sample.first.startLSN, segmentSize: SampleWAL.segmentSize, checksCRC: true)
            let failed = bytes.withUnsafeBytes { bytes in
                do throws(FormatError) { try scanner.scan(UnsafeRawBufferPointer(rebasing: bytes[..<count])) } catch {
                    return true
                }
                return false
            }
            // Padding, and fields of page headers that nobody reads, may be anything.
            let end = scanner.lastRecordEnd ?? sample.first.startLSN
            #expect(failed ? end <= LSN(rawValue: sample.first.startLSN.rawValue + UInt64(index)) : end == sample.end)
        }
    }

    @Test("what was written is read back, and found again when the store is opened anew")
    func roundTrip() throws {
        defer { remove() }
        let store = try open()
        #expect(store.position == nil)
        var writer = writer(store)
        var generator = SeededGenerator(seed: 3)
        try sample.bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < count {
                let end = min(count, offset + Int.random(in: 1...200_000, using: &generator))
                try writer.append(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                try writer.flush()
                // Never more than whole records, and never beyond what was written.
                let flushed = store.position?.flushed ?? sample.first.startLSN
                #expect(flushed <= writer.written)
                offset = end
            }
        }
        #expect(store.position == WALStore.Position(timeline: 1, flushed: sample.end))
        let again = try open()
        #expect(again.position == store.position)
        var found: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 100_000, alignment: 16)
        defer { buffer.deallocate() }
        var lsn = sample.first.startLSN
        while true {
            let read = try again.read(timeline: 1, from: lsn, into: buffer)
            if read == 0 { break }
            found += buffer[..<read]
            lsn.rawValue += UInt64(read)
        }
        #expect(found.elementsEqual(sample.bytes[..<count]))
        #expect(throws: WALStoreError.self) { try again.read(timeline: 1, from: LSN(rawValue: 1), into: buffer) }
    }

    @Test("in bulk or in trickles, from any place to any place, files end up as the server's", arguments: 1...6)
    func bulk(seed: UInt64) throws {
        defer { remove() }
        let store = try open()
        var writer = writer(store)
        var generator = SeededGenerator(seed: seed)
        try sample.bytes.withUnsafeBytes { bytes in
            var offset = 0
            var flushes = false
            while offset < count {
                let end = min(count, offset + Int.random(in: 1...50_000, using: &generator))
                try writer.append(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                // A segment without a flush in it makes the next one bulk, until that is flushed before its end.
                if offset / SampleWAL.segmentSize != end / SampleWAL.segmentSize {
                    flushes = Bool.random(using: &generator)
                } else if flushes, Int.random(in: 0..<8, using: &generator) == 0 {
                    try writer.flush()
                }
                offset = end
            }
        }
        try writer.flush()
        #expect(store.position?.flushed == sample.end)
        try expectFiles(of: store)
    }

    private func expectFiles(of store: WALStore) throws {
        var segment = sample.first
        while segment.startLSN < sample.end {
            let offset = Int(segment.startLSN.rawValue - sample.first.startLSN.rawValue)
            let content = try Data(contentsOf: URL(fileURLWithPath: store.file(of: segment).string))
            let isSame = content.elementsEqual(sample.bytes[offset..<offset + segment.size])
            #expect(isSame, "\(segment)")
            segment = segment.next
        }
    }

    @Test("cut anywhere, it goes on behind the last whole record, and ends up the same")
    func cut() throws {
        defer { remove() }
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<20 {
            remove()
            try FileManager.default.createDirectory(atPath: directory.string, withIntermediateDirectories: true)
            let cut = Int.random(in: 1..<count, using: &generator)
            try sample.bytes.withUnsafeBytes { bytes in
                // Dropped without a flush, as a crash would.
                var first = writer(try open())
                try first.append(UnsafeRawBufferPointer(rebasing: bytes[..<cut]))
            }
            let store = try open()
            var second = writer(store)
            let start = Int(second.written.rawValue - sample.first.startLSN.rawValue)
            // Zeros need not have arrived to be there: padding, and what follows a switch.
            #expect(start % 8 == 0 && (start <= cut || sample.bytes[cut..<start].allSatisfy { $0 == 0 }))
            try sample.bytes.withUnsafeBytes { bytes in
                let known = UnsafeRawBufferPointer(rebasing: bytes[..<start])
                let agrees = try second.agrees(known, at: sample.first.startLSN)
                #expect(agrees)
                try second.append(UnsafeRawBufferPointer(rebasing: bytes[start..<count]))
            }
            try second.flush()
            #expect(store.position?.flushed == sample.end)
            try expectFiles(of: store)
        }
    }

    @Test("a segment that is damaged before another one is told, and other WAL than what is here")
    func damage() throws {
        defer { remove() }
        let store = try open()
        var writer = writer(store)
        try sample.bytes.withUnsafeBytes { bytes in
            try writer.append(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
        try writer.flush()
        var other = Array(sample.bytes[..<8192])
        other[5000] ^= 1
        let agrees = try other.withUnsafeBytes { try writer.agrees($0, at: sample.first.startLSN) }
        #expect(!agrees)
        var isTaken = true
        do { try other.withUnsafeBytes { try writer.append($0) } } catch WALStoreError.diverged { isTaken = false }
        #expect(!isTaken)
        let segments = try store.segments()
        let path = store.file(of: segments[segments.count - 2])
        let file = try FileDescriptor.open(path, .readWrite)
        try file.closeAfter { _ = try file.writeAll(toAbsoluteOffset: 60_000, [UInt8](repeating: 0xAA, count: 9000)) }
        #expect(throws: WALStoreError.self) { _ = try open() }
        #expect(throws: WALStoreError.self) {
            _ = try WALStore(
                path: directory,
                identity: ClusterIdentity(systemIdentifier: 1, segmentSize: SampleWAL.segmentSize, major: 15))
        }
    }

    @Test("who waits is told when WAL has come, and when the store is closed")
    func waiting() async throws {
        defer { remove() }
        let store = try open()
        async let waited: Void = store.waitForWAL(beyond: sample.first.startLSN, timeline: 1)
        try {
            var writer = writer(store)
            try sample.bytes.withUnsafeBytes { bytes in
                try writer.append(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
            try writer.flush()
        }()
        try await waited
        let task = Task { try await store.waitForWAL(beyond: sample.end, timeline: 1) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let closed = Task { try await store.waitForWAL(beyond: sample.end, timeline: 1) }
        store.close()
        await #expect(throws: CancellationError.self) { try await closed.value }
    }
}
