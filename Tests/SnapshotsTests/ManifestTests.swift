import Digests
import PostgresFormat
import TestSupport
import Testing

@testable import Snapshots

extension SeededGenerator {
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

}

extension Manifest {
    /// Any manifest that a writer could make.
    static func random(_ numbers: inout SeededGenerator) -> Manifest {
        let end = UInt64.random(in: 1 ... .max, using: &numbers)
        let isComplete = Bool.random(using: &numbers)
        var manifest = Manifest(
            identity: SnapshotIdentity(
                timeline: TimelineUUID(bytes: numbers.bytes(16)),
                startLSN: LSN(rawValue: isComplete ? 0 : UInt64.random(in: 1...end, using: &numbers)),
                endLSN: LSN(rawValue: end),
                created: UTCTime(microseconds: Int64(numbers.number(0...4_000_000_000)) * 1_000_000),
                predecessor: isComplete ? "" : "before",
                label: ["", "nächtlich", "a b"].randomElement(using: &numbers)!,
                systemIdentifier: numbers.next(), postgresMajor: numbers.number(14...18), catalogVersion: 202_307_071,
                controlVersion: 1300, tli: UInt32.random(in: 1 ... .max, using: &numbers),
                walSegmentBytes: 1 << numbers.number(20...30), segmentBlocks: 131_072,
                dataChecksums: Bool.random(using: &numbers), writer: "test"))
        for number in 0..<numbers.number(1...4) {
            manifest.packs.append(
                PackInfo(
                    name: "pack-\(number)x0-ab", sizeBytes: numbers.number(1000...1 << 40), sha256: numbers.bytes(32)))
        }
        manifest.tablespaces = (0..<numbers.number(0...2)).map { Tablespace(oid: UInt32($0), location: "/t/\($0)") }
        let keys = Set(
            (0..<numbers.number(0...40)).map { _ in
                RelationFork(
                    tablespace: [1663, 1664, .max].randomElement(using: &numbers)!,
                    database: UInt32(numbers.number(0...3)), relation: UInt32.random(in: 0 ... .max, using: &numbers),
                    fork: ForkKind.allCases.randomElement(using: &numbers)!)
            })
        for key in keys.sorted() { manifest.addFork(key, isComplete, &numbers) }
        for number in 0..<numbers.number(0...20) {
            let size = numbers.number(0...1 << 20)
            let first = manifest.fileFrames.count
            var rest = size
            while rest > 0, Bool.random(using: &numbers) {
                let content = min(rest, numbers.number(1...Format.maximumFrameBytes))
                rest -= content
                manifest.fileFrames.append(
                    FileFrame(location: manifest.randomLocation(&numbers), contentBytes: content))
            }
            manifest.files.append(
                FileEntry(
                    path: "dir/f\(1000 + number)", kind: .file, mode: UInt16(numbers.number(0...0o7777)),
                    sizeBytes: size,
                    firstFrame: first, frameCount: manifest.fileFrames.count - first))
        }
        if let fork = manifest.forks.first, Bool.random(using: &numbers) {
            manifest.corruptPages = [PageKey(fork: fork.key, block: 5), PageKey(fork: fork.key, block: .max)]
        }
        return manifest
    }

    private mutating func addFork(_ key: RelationFork, _ isComplete: Bool, _ numbers: inout SeededGenerator) {
        let firstFrame = frames.count
        var block = 0
        for _ in 0..<numbers.number(0...5) {
            let firstRun = runs.count
            for _ in 0..<(isComplete ? 1 : numbers.number(1...4)) {
                if !isComplete { block += numbers.number(0...10_000) }
                let count = numbers.number(1...16)
                runs.append(BlockRun(start: UInt32(block), count: UInt32(count)))
                block += count
            }
            frames.append(
                FrameEntry(location: randomLocation(&numbers), firstRun: firstRun, runCount: runs.count - firstRun))
        }
        let blockCount = isComplete ? block : block + numbers.number(0...100)
        forks.append(
            ForkEntry(
                key: key, blockCount: UInt32(blockCount), firstFrame: firstFrame, frameCount: frames.count - firstFrame)
        )
    }

    private func randomLocation(_ numbers: inout SeededGenerator) -> FrameLocation {
        let pack = numbers.number(0...packs.count - 1)
        let stored = numbers.number(1...min(Format.maximumStoredBytes, packs[pack].sizeBytes - Format.headerBytes))
        return FrameLocation(
            pack: pack, offset: numbers.number(Format.headerBytes...packs[pack].sizeBytes - stored),
            storedBytes: stored,
            crc32c: UInt32.random(in: 0 ... .max, using: &numbers))
    }
}

@Suite("manifest", .timeLimit(.minutes(30)))
struct ManifestTests {
    /// The same bytes closed by their own digest again: what someone who means harm would write.
    private func resealed(_ bytes: [UInt8]) -> [UInt8] {
        let body = bytes.dropLast(Format.digestBytes)
        return body + Digest.sha256(body)
    }

    /// Reads it, and asks of what was read all that a command would, none of which may trap.
    private func use(_ bytes: [UInt8]) -> Manifest? {
        guard let manifest = try? Manifest(decoding: bytes) else { return nil }
        _ = (manifest.name.description, manifest.pageCount, manifest.logicalBytes, manifest.storedBytes)
        for fork in manifest.forks.prefix(50) {
            #expect(manifest.fork(fork.key) == fork)
            for block in [0, 1, fork.blockCount / 2, fork.blockCount, .max] { _ = manifest.frame(of: block, in: fork) }
        }
        _ = manifest.schedule()
        _ = manifest.encoded()
        return manifest
    }

    @Test("what was encoded is decoded", arguments: 1...60 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var numbers = SeededGenerator(seed: seed)
        let manifest = Manifest.random(&numbers)
        let bytes = manifest.encoded()
        #expect(try Manifest(decoding: bytes) == manifest, "seed \(seed)")
        #expect(use(bytes)?.encoded() == bytes)
        #expect(SnapshotName(manifest.name.description) == manifest.name)
    }

    @Test("any flipped bit is found, and any length cut off", arguments: 1...4 as ClosedRange<UInt64>)
    func damage(seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        let bytes = Manifest.random(&numbers).encoded()
        for index in bytes.indices where bytes.count < 800 || numbers.number(0...7) == 0 {
            var damaged = bytes
            damaged[index] ^= 1 << UInt8(numbers.number(0...7))
            #expect(throws: SnapshotFormatError.self, "byte \(index), seed \(seed)") { try Manifest(decoding: damaged) }
            #expect(throws: SnapshotFormatError.self) { try Manifest(decoding: Array(bytes[..<index])) }
        }
    }

    @Test(
        "what is changed under a right digest reads or fails, and never traps", arguments: 1...40 as ClosedRange<UInt64>
    )
    func hostile(seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        let bytes = Manifest.random(&numbers).encoded()
        for _ in 0..<150 {
            var changed = bytes
            for _ in 0..<numbers.number(1...3) {
                let index = numbers.number(Format.headerBytes...changed.count - Format.digestBytes - 1)
                switch numbers.number(0...3) {
                case 0: changed[index] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &numbers)!
                case 1: changed[index] ^= 1 << UInt8(numbers.number(0...7))
                case 2: changed.remove(at: index)
                default: changed.insert(contentsOf: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], at: index)
                }
                if changed.count <= Format.headerBytes + Format.digestBytes { break }
            }
            _ = use(resealed(changed))
        }
        let noise = numbers.bytes(numbers.number(0...300))
        _ = use(resealed(Format.header(Format.manifestMagic) + noise + [UInt8](repeating: 0, count: 32)))
    }

    @Test("sizes whose sum no integer holds are refused")
    func sums() {
        var numbers = SeededGenerator(seed: 1)
        var manifest = Manifest.random(&numbers)
        manifest.packs += (0..<3).map {
            PackInfo(name: "pack-9x\($0)-0", sizeBytes: .max, sha256: [UInt8](repeating: 0, count: 32))
        }
        let bytes = manifest.encoded()
        #expect(throws: SnapshotFormatError.self) { try Manifest(decoding: bytes) }
        manifest = Manifest.random(&numbers)
        manifest.files = (0..<9000).map {
            FileEntry(path: "f\(10_000 + $0)", kind: .file, mode: 0, sizeBytes: 1 << 50, firstFrame: 0, frameCount: 0)
        }
        manifest.fileFrames = []
        let large = manifest.encoded()
        #expect(throws: SnapshotFormatError.self) { try Manifest(decoding: large) }
    }

    @Test("a manifest that lacks a section is refused", arguments: 1...5 as ClosedRange<UInt8>)
    func missingSection(kind: UInt8) throws {
        var numbers = SeededGenerator(seed: 3)
        let bytes = Manifest.random(&numbers).encoded()
        var kept = Array(bytes[..<Format.headerBytes])
        var reader = ByteReader(bytes.span.bytes.extracting(Format.headerBytes..<(bytes.count - Format.digestBytes)))
        while !reader.isAtEnd {
            let found = try reader.fixed(UInt8.self)
            let content = try reader.raw(try reader.varint())
            if found == kind { continue }
            var writer = ByteWriter()
            writer.section(found) { $0.bytes += content }
            kept += writer.bytes
        }
        let sealed = kept + Digest.sha256(kept)
        #expect(throws: SnapshotFormatError.self) { try Manifest(decoding: sealed) }
    }

    @Test("times and names are read as they are printed, and nothing else is")
    func names() {
        var numbers = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            let time = UTCTime(microseconds: Int64(numbers.number(-62_000_000_000...253_402_300_799)) * 1_000_000)
            #expect(UTCTime(compact: time.compact) == time)
        }
        #expect(UTCTime(microseconds: 1_795_433_400_000_000).compact == "20261123T113000Z")
        #expect(UTCTime(microseconds: -1).wholeSeconds.microseconds == -1_000_000)
        for text in [
            "20261131T113000Z", "20260229T000000Z", "20261123T240000Z", "20261123t113000Z", "", "+0261123T113000Z",
        ] {
            #expect(UTCTime(compact: text) == nil, "\(text)")
        }
        let name = "0123456789abcdef0123456789abcdef_0000000000000000_0000000001A2B3C4_20261123T113000Z"
        #expect(SnapshotName(name)?.description == name)
        let wrong = [
            name.uppercased(), name + "_", "x" + name, String(name.dropLast()), name.replacing("A2B3", with: "a2b3"),
            name.replacing("_0000000000000000_", with: "_FFFFFFFFFFFFFFFF_"),
            name.replacing("_00000000", with: "_+0000000"),
        ]
        for text in wrong { #expect(SnapshotName(text) == nil, "\(text)") }
    }

    @Test("frames expand to what they were made of, and damaged ones fail", arguments: 1...10 as ClosedRange<UInt64>)
    func frames(seed: UInt64) throws {
        var numbers = SeededGenerator(seed: seed)
        var compressor = FrameCompressor(level: 1)
        var decompressor = FrameDecompressor()
        let half = numbers.bytes(numbers.number(1...20_000))
        let content = half + [UInt8](repeating: 7, count: numbers.number(0...20_000))
        let stored = content.withUnsafeBytes { Array(compressor.compress($0)) }
        var expanded = [UInt8](repeating: 0, count: content.count)
        try stored.withUnsafeBytes { stored in
            try expanded.withUnsafeMutableBytes { try decompressor.expand(stored, into: $0) }
        }
        #expect(expanded == content)
        for _ in 0..<100 {
            var damaged = stored
            damaged[numbers.number(0...stored.count - 1)] ^= 1 << UInt8(numbers.number(0...7))
            damaged.removeLast(numbers.number(0...min(3, stored.count)))
            damaged.withUnsafeBytes { stored in
                expanded.withUnsafeMutableBytes { try? decompressor.expand(stored, into: $0) }
            }
        }
        #expect(throws: SnapshotFormatError.self) {
            try stored.withUnsafeBytes { stored in
                try expanded.withUnsafeMutableBytes {
                    try decompressor.expand(stored, into: UnsafeMutableRawBufferPointer(rebasing: $0.dropLast()))
                }
            }
        }
    }
}
