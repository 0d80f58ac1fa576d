import Foundation
import ObjectStorage
import TestSupport
import Testing
import WALArchive

/// WAL-G's formats are those of the programs `zstd` and `lz4`.
@Suite("beside the programs zstd and lz4")
struct ProgramTests {
    @Test("they read what is pushed", arguments: [("zstd", WALCompression.zstd(level: 1)), ("lz4", .lz4)])
    func theyRead(program: String, compression: WALCompression) async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = WALArchiveWriter(store, prefix: "", compression: compression)
        for (text, size) in [(first, 1 << 20), ("000000010000000000000003", 32 << 20)] {
            _ = try await archive.push(try wal.segment(text, size: size), as: name(text))
            let key = try #require(store.keys.last)
            _ = try wal.write(try #require(store.bytes(key)), key.text)
            let tested = try run([program, "-t", wal.path(key.text)])
            #expect(tested.status == 0, "\(tested.error)")
            let output = program == "zstd" ? ["-o", wal.path("expanded")] : [wal.path("expanded")]
            let expanded = try run([program, "-d", "-q", "-f", wal.path(key.text)] + output)
            #expect(expanded.status == 0, "\(expanded.error)")
            #expect(wal.read("expanded") == wal.read(text))
            // The frame's flags: a checksum of the content is there.
            #expect(try #require(store.bytes(key))[4] & 0x04 != 0)
        }
    }

    @Test(
        "what they write is read",
        arguments: [
            ["zstd", "-1"], ["zstd", "-19", "--long=27"], ["zstd", "--no-check"], ["zstd", "-T2", "-B100000"],
            ["lz4", "-1"], ["lz4", "-9", "-BD"], ["lz4", "-B4", "--no-frame-crc"], ["lz4", "--content-size", "-BX"],
        ])
    func readsTheirs(command: [String]) async throws {
        let wal = try SampleWAL()
        let text = "000000010000000000000001"
        let path = try wal.segment(text, size: 4 << 20)
        let suffix = command[0] == "zstd" ? ".zst" : ".lz4"
        let output = command[0] == "zstd" ? ["-o", path + suffix] : [path + suffix]
        let packed = try run(command + ["-q", "-f", path] + output)
        try #require(packed.status == 0, "\(packed.error)")
        let store = MemoryObjectStore()
        store.replace(ObjectKey("wal_005/" + text + suffix), with: wal.read(text + suffix))
        let reader = WALArchiveReader(store, prefix: "wal_005/", expected: .lz4)
        #expect(try await reader.fetch(name(text), to: wal.path("fetched")) == .fetched(sizeBytes: 4 << 20))
        #expect(wal.read("fetched") == wal.read(text))
        // Under its bare name, and with the dot that WAL-G 3.0.8 left.
        for bare in ["", "."] {
            let store = MemoryObjectStore()
            store.replace(ObjectKey("wal_005/" + text + bare), with: wal.read(text))
            let reader = WALArchiveReader(store, prefix: "wal_005/")
            #expect(try await reader.fetch(name(text), to: wal.path("fetched")) == .fetched(sizeBytes: 4 << 20))
        }
    }

    @Test("frames in a row are one file, as the programs take them", arguments: ["zstd", "lz4"])
    func rows(program: String) async throws {
        let wal = try SampleWAL()
        let content = SampleWAL.content(first)
        var packed: [UInt8] = []
        for (index, part) in [content.prefix(300_000), content.dropFirst(300_000)].enumerated() {
            let path = try wal.write(Array(part), "part\(index)")
            let suffix = program == "zstd" ? ".zst" : ".lz4"
            let output = program == "zstd" ? ["-o", path + suffix] : [path + suffix]
            try #require(try run([program, "-q", path] + output).status == 0)
            packed += try #require(wal.read("part\(index)\(suffix)"))
        }
        let store = MemoryObjectStore()
        let suffix = program == "zstd" ? ".zst" : ".lz4"
        store.replace(ObjectKey("wal_005/\(first)\(suffix)"), with: packed)
        let reader = WALArchiveReader(store, prefix: "wal_005/")
        #expect(try await reader.fetch(name(first), to: wal.path("fetched")) == .fetched(sizeBytes: 1 << 20))
        #expect(wal.read("fetched") == content)
    }
}
