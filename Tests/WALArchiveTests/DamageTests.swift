import Foundation
import ObjectStorage
import TestSupport
import Testing
import WALArchive

@Suite("damaged WAL", .timeLimit(.minutes(10)))
struct DamageTests {
    private let key = ObjectKey("wal_005/\(first).zst")

    private func expectDamaged(
        _ reader: WALArchiveReader, _ wal: SampleWAL, _ text: String = first, _ words: String = "damaged",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: WALArchiveError.self, sourceLocation: sourceLocation) {
            try await reader.fetch(name(text), to: wal.path("fetched"))
        }
        #expect("\(error!)".contains(words), "\(error!)", sourceLocation: sourceLocation)
        #expect(!wal.names.contains { $0.hasPrefix("fetched") }, sourceLocation: sourceLocation)
    }

    @Test("any bit that flips in an object is found, and any end that is missing", arguments: [true, false])
    func bits(usesLZ4: Bool) async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = WALArchiveWriter(
            store, prefix: "wal_005/", compression: usesLZ4 ? .lz4 : .zstd(level: 1))
        _ = try await archive.push(try wal.segment(first), as: name(first))
        let key = try #require(store.keys.first)
        let sound = try #require(store.bytes(key))
        let content = try #require(wal.read(first))
        // Some bits decide nothing: with which memory to decode, or which of two equal places to copy from.
        let positions = Array(0..<12) + stride(from: 12, to: sound.count, by: sound.count / 40) + [sound.count - 1]
        for position in positions {
            var bytes = sound
            bytes[position] ^= 0x04
            store.replace(key, with: bytes)
            do {
                _ = try await archive.reader.fetch(name(first), to: wal.path("fetched"))
                #expect(wal.read("fetched") == content, "a wrong file at \(position)")
                try FileManager.default.removeItem(atPath: wal.path("fetched"))
            } catch is WALArchiveError { #expect(!wal.names.contains { $0.hasPrefix("fetched") }) }
        }
        for count in [0, 1, 4, 20, sound.count / 2, sound.count - 4, sound.count - 1] {
            store.replace(key, with: Array(sound.prefix(count)))
            await expectDamaged(archive.reader, wal)
        }
        store.replace(key, with: sound + [1, 2, 3, 4, 5])
        await expectDamaged(archive.reader, wal)
    }

    @Test("random bytes under every name give an error and no file")
    func noise() async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let reader = WALArchiveReader(store, prefix: "wal_005/")
        for seed in 0..<60 {
            let bytes = Array(
                SampleWAL.content(first, seed: UInt64(seed)).dropFirst(64 * 1024 + seed).prefix(seed * 100))
            for suffix in [".zst", ".lz4", ""] {
                for key in store.keys { store.replace(key, with: nil) }
                store.replace(ObjectKey("wal_005/\(first)\(suffix)"), with: bytes)
                await expectDamaged(reader, wal)
            }
        }
    }

    @Test("a segment that is not the one of its name is refused, stored or to be pushed")
    func otherSegment() async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = WALArchiveWriter(
            store, prefix: "wal_005/", systemIdentifier: SampleWAL.systemIdentifier, compression: .lz4)
        var torn = SampleWAL.content(first)
        torn.removeLast(8192)
        var noMagic = SampleWAL.content(first)
        noMagic[0] = 0
        let wrong: [(content: [UInt8], words: String)] = [
            (SampleWAL.content("000000010000000000000002"), "says that it is at"),
            (SampleWAL.content(first, timeline: 2), "later than its name"),
            (SampleWAL.content(first, systemIdentifier: 5), "system identifier 5"),
            (SampleWAL.content(first, size: 2 << 20).prefix(1 << 20).map { $0 }, "segments of 2097152"),
            (torn, "1040384"), (noMagic, "known PostgreSQL version"), ([], "0 bytes"),
            ([UInt8](repeating: 0, count: 1 << 20), "known PostgreSQL version"),
        ]
        for (content, words) in wrong {
            let path = try wal.write(content, "wrong")
            let error = await #expect(throws: WALArchiveError.self) { try await archive.push(path, as: name(first)) }
            #expect("\(error!)".contains(words) && "\(error!)".contains(path), "\(error!)")
            #expect(store.keys.isEmpty)
            store.replace(ObjectKey("wal_005/\(first)"), with: content)
            await expectDamaged(archive.reader, wal, first, words)
            store.replace(ObjectKey("wal_005/\(first)"), with: nil)
        }
        // A TLI begins with a copy of the segment that it branched off in.
        let branched = try wal.write(SampleWAL.content("000000030000000000000001", timeline: 1), "branched")
        #expect(try await archive.push(branched, as: name("000000030000000000000001")) == .stored)
    }

    @Test(
        "a packing that is not read is named, and stands in the way of a push", arguments: ["br", "lzma", "lzo", "gz"])
    func unreadable(suffix: String) async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        store.replace(ObjectKey("wal_005/\(first).\(suffix)"), with: [1, 2, 3])
        let archive = WALArchiveWriter(store, prefix: "wal_005/", compression: .lz4)
        await expectDamaged(archive.reader, wal, first, "\(first).\(suffix) is packed as \(suffix)")
        let path = try wal.segment(first)
        await #expect(throws: WALArchiveError.self) { try await archive.push(path, as: name(first)) }
        #expect(store.keys.count == 1)
    }

    @Test("what lies there damaged is no success for the same content")
    func damagedThere() async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = WALArchiveWriter(store, prefix: "wal_005/", compression: .zstd(level: 1))
        let path = try wal.segment(first)
        _ = try await archive.push(path, as: name(first))
        store.replace(key, with: Array(store.bytes(key)!.dropLast(9)))
        await #expect(throws: WALArchiveError.self) { try await archive.push(path, as: name(first)) }
    }

    @Test("a small frame that expands without end is stopped")
    func bomb() async throws {
        let wal = try SampleWAL()
        let path = try wal.write([UInt8](repeating: 0, count: 64 << 20), "zeros")
        let packed = try run(["zstd", "-q", "-c", path, "-o", wal.path("zeros.zst")])
        try #require(packed.status == 0)
        let store = MemoryObjectStore()
        store.replace("wal_005/00000002.history.zst", with: wal.read("zeros.zst"))
        await expectDamaged(WALArchiveReader(store, prefix: "wal_005/"), wal, "00000002.history", "more than")
    }
}
