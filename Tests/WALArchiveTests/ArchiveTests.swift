import Foundation
import ObjectStorage
import PostgresFormat
import Testing
import WALArchive

private let codecs: [WALCompression] = [.zstd(level: 1), .zstd(level: 9), .lz4]

@Suite("a WAL archive", .timeLimit(.minutes(10)))
struct ArchiveTests {
    private func writer(
        _ store: any ObjectStore, _ compression: WALCompression = .zstd(level: 1), identifier: UInt64? = nil
    ) -> WALArchiveWriter {
        WALArchiveWriter(store, prefix: "wal_005/", systemIdentifier: identifier, compression: compression)
    }

    @Test("what is pushed comes back the same, under WAL-G's names", arguments: codecs)
    func roundTrip(compression: WALCompression) async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = writer(store, compression, identifier: SampleWAL.systemIdentifier)
        let history = try wal.write(Array("1\t0/3000000\tno recovery target specified\n".utf8), "00000002.history")
        let backup = "000000010000000000000001.00000028.backup"
        let files = [
            (first, try wal.segment(first)), ("00000002.history", history),
            (first + ".partial", try wal.segment(first + ".partial", seed: 2)),
            ("000000010000000000000008", try wal.segment("000000010000000000000008", size: 8 << 20)),
            (backup, try wal.write(Array("START WAL LOCATION: 0/2000028\n".utf8), backup)),
        ]
        for (text, path) in files {
            #expect(try await archive.push(path, as: name(text)) == .stored)
            #expect(try await archive.push(path, as: name(text)) == .alreadyThere)
        }
        let suffix = compression == .lz4 ? ".lz4" : ".zst"
        #expect(store.keys.map(\.text) == files.map { "wal_005/" + $0.0 + suffix }.sorted())
        for (text, path) in files {
            let size = try Data(contentsOf: URL(fileURLWithPath: path)).count
            let got = try await archive.reader.fetch(name(text), to: wal.path("fetched"))
            #expect(got == .fetched(sizeBytes: size))
            #expect(wal.read("fetched") == wal.read(text))
        }
        #expect(!wal.names.contains { $0.hasSuffix("-fetch") })
    }

    @Test("what is not there is missing, and leaves no file", arguments: [first, "00000002.history"])
    func missing(text: String) async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = writer(store)
        // Names that begin with the one that is asked for are others.
        _ = try await archive.push(
            try wal.segment(first + ".partial"), as: name(first + ".partial"))
        store.replace(ObjectKey("wal_005/\(first)_delta.lz4"), with: [1])
        store.replace(ObjectKey("wal_005/\(first).json"), with: [1])
        #expect(try await archive.reader.fetch(name(text), to: wal.path("fetched")) == .missing)
        #expect(wal.names == [first + ".partial"])
    }

    @Test("another content under a taken name is refused by name, whatever either is packed as", arguments: codecs)
    func conflict(compression: WALCompression) async throws {
        let wal = try SampleWAL()
        for there in codecs {
            let store = MemoryObjectStore()
            _ = try await writer(store, there).push(try wal.segment(first, seed: 1), as: name(first))
            let before = store.keys.map { store.bytes($0) }
            let changed = try wal.segment(first, seed: 2)
            let error = await #expect(throws: WALArchiveError.self) {
                try await writer(store, compression).push(changed, as: name(first))
            }
            guard case .conflict(let text)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(text.contains(changed) && text.contains("wal_005/\(first)"))
            #expect(store.keys.map { store.bytes($0) } == before)
            let same = try wal.segment(first, seed: 1)
            #expect(try await writer(store, compression).push(same, as: name(first)) == .alreadyThere)
            #expect(store.keys.count == 1)
        }
    }

    @Test("a content that is the beginning of the other differs from it, from both sides")
    func shorter() async throws {
        let wal = try SampleWAL()
        let (long, short) = (Array("1\t0/1\tx\n2\t0/2\ty\n".utf8), Array("1\t0/1\tx\n".utf8))
        for (there, pushed) in [(long, short), (short, long)] {
            let archive = writer(MemoryObjectStore())
            _ = try await archive.push(try wal.write(there, "a"), as: name("00000003.history"))
            let path = try wal.write(pushed, "b")
            await #expect(throws: WALArchiveError.self) { try await archive.push(path, as: name("00000003.history")) }
        }
    }

    @Test("a store is opened whose first put lost its answer: the next push finds its own content")
    func lostAnswer() async throws {
        let wal = try SampleWAL()
        let path = try wal.segment(first)
        let store = FaultInjectingStore(MemoryObjectStore(), faults: [.init(.lostAnswer, .put)])
        await #expect(throws: ObjectStoreError.self) { try await writer(store).push(path, as: name(first)) }
        #expect(try await writer(store).push(path, as: name(first)) == .alreadyThere)
    }

    @Test("sixteen push the same at once: all succeed, one object", arguments: codecs)
    func sameRace(compression: WALCompression) async throws {
        let wal = try SampleWAL()
        let path = try wal.segment(first)
        let store = MemoryObjectStore()
        let archive = writer(store, compression)
        let outcomes = try await withThrowingTaskGroup(of: WALArchiveWriter.PushOutcome.self) { group in
            for _ in 0..<16 { group.addTask { try await archive.push(path, as: name(first)) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count == 16 && outcomes.filter { $0 == .stored }.count == 1)
        #expect(store.keys.count == 1)
    }

    @Test("sixteen push different contents at once: one succeeds, the others are refused")
    func differentRace() async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = writer(store)
        let paths = try (0..<16).map {
            try wal.write(SampleWAL.content(first, seed: UInt64($0)), "copy\($0)")
        }
        var stored: [String] = []
        var refused = 0
        await archive.offload(paths.map { .init(path: $0, name: name(first)) }, parallel: 16) { file, result in
            switch result {
            case .success(let outcome):
                #expect(outcome == .stored)
                stored.append(file.path)
            case .failure(let error):
                if case WALArchiveError.conflict = error { refused += 1 } else { Issue.record("\(error)") }
            }
        }
        #expect(stored.count == 1 && refused == 15)
        _ = try await archive.reader.fetch(name(first), to: wal.path("fetched"))
        #expect(
            stored.first.flatMap { FileManager.default.contents(atPath: $0).map(Array.init) } == wal.read("fetched"))
    }

    @Test("two that pack differently and push different contents at once are never both content")
    func mixedRace() async throws {
        let wal = try SampleWAL()
        let paths = try (0..<2).map { try wal.write(SampleWAL.content(first, seed: UInt64($0)), "copy\($0)") }
        for _ in 0..<20 {
            let store = MemoryObjectStore()
            async let one = try? writer(store, .lz4).push(paths[0], as: name(first))
            async let two = try? writer(store, .zstd(level: 1)).push(paths[1], as: name(first))
            let outcomes = await [one, two]
            #expect(outcomes.contains(nil))
        }
    }

    @Test("offload goes on where one file fails, and tells of each")
    func offload() async throws {
        let wal = try SampleWAL()
        let archive = writer(MemoryObjectStore())
        var files = try (1...9).map { number in
            let text = "00000001000000000000000\(number)"
            return LocalWAL(path: try wal.segment(text, seed: UInt64(number)), name: name(text))
        }
        files.insert(.init(path: wal.path("none"), name: name("00000001000000000000000A")), at: 4)
        var results: [String: Bool] = [:]
        await archive.offload(files, parallel: 3) { file, result in results[file.name.text] = (try? result.get()) != nil
        }
        #expect(results.count == 10 && results.filter { !$0.value }.map(\.key) == ["00000001000000000000000A"])
    }

    @Test("offload asks once before and once behind what the archive has, and puts each file once")
    func offloadRequests() async throws {
        let wal = try SampleWAL()
        let store = FaultInjectingStore(MemoryObjectStore())
        func text(_ number: Int) -> String { String(format: "0000000100000000000000%02X", number) }
        // One that is partial lies between a segment's name and its key.
        for key in [text(18) + ".partial.zst", text(19) + ".00000028.backup.zst"] {
            try await store.put(ObjectKey("wal_005/" + key), .bytes([0]), mode: .createOnly)
        }
        let archive = writer(store)
        for number in [1, 18, 19] {
            _ = try await archive.push(wal.segment(text(number), seed: 1), as: name(text(number)))
        }
        let before = store.operationCount
        let files = try (1...19).map { LocalWAL(path: try wal.segment(text($0), seed: 1), name: name(text($0))) }
        var outcomes: [WALArchiveWriter.PushOutcome] = []
        await archive.offload(files, parallel: 3) { _, result in if let one = try? result.get() { outcomes.append(one) }
        }
        #expect(outcomes.count == 19 && outcomes.filter { $0 == .alreadyThere }.count == 3)
        let operations = Dictionary(grouping: store.records[before...], by: \.operation).mapValues(\.count)
        #expect(operations[.put] == 16 && operations[.list] == 2 && operations[.head] == nil)
    }

    @Test("two that pack differently and offload different contents at once are never both content")
    func mixedOffload() async throws {
        let wal = try SampleWAL()
        let text = "000000010000000000000002"
        let paths = try (0..<2).map { try wal.write(SampleWAL.content(text, seed: UInt64($0)), "copy\($0)") }
        for _ in 0..<20 {
            let store = MemoryObjectStore()
            @Sendable func offload(_ compression: WALCompression, _ path: String) async -> Bool {
                var isStored = false
                let file = LocalWAL(path: path, name: name(text))
                await writer(store, compression).offload([file], parallel: 1) { _, result in
                    if case .success = result { isStored = true }
                }
                return isStored
            }
            async let one = offload(.lz4, paths[0])
            async let two = offload(.zstd(level: 1), paths[1])
            let outcomes = await [one, two]
            #expect(outcomes.contains(false))
        }
    }

    @Test("offload fails each file where the archive cannot be asked, before and behind")
    func offloadUnasked() async throws {
        let wal = try SampleWAL()
        for nth in 1...2 {
            let store = FaultInjectingStore(
                MemoryObjectStore(), faults: [.init(.refused(.unavailable), .list, nth: nth)])
            let file = LocalWAL(path: try wal.segment(first), name: name(first))
            var outcomes: [Bool] = []
            await writer(store).offload([file], parallel: 1) { _, result in
                outcomes.append((try? result.get()) != nil)
            }
            #expect(outcomes == [false])
        }
    }

    @Test("what follows a file that differs from what is archived is not stored behind it", arguments: [1, 4])
    func offloadOfAnotherHistory(parallel: Int) async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = writer(store)
        func text(_ number: Int) -> String { "00000001000000000000000\(number)" }
        for number in 1...5 {
            let path = try wal.segment(text(number), seed: number < 4 ? 1 : 2)
            _ = try await archive.push(path, as: name(text(number)))
        }
        // The same up to 3.
        let files = try [8, 3, 4, 5, 6, 7, 9].map { number in
            LocalWAL(path: try wal.segment(text(number), seed: 1), name: name(text(number)))
        }
        var refused: [String] = []
        await archive.offload(files, parallel: parallel) { file, result in
            guard case .failure(let error) = result else { return }
            if case WALArchiveError.conflict = error {
                refused.append(file.name.text)
            } else {
                Issue.record("\(error)")
            }
        }
        #expect(refused.sorted() == [4, 5, 6, 7, 9].map(text))
        #expect(store.keys.map(\.text) == [1, 2, 3, 4, 5, 8].map { "wal_005/\(text($0)).zst" })
    }

    @Test("of beginnings of a segment the longest stays, and none of another history is touched")
    func unfinished() async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = writer(store)
        let path = try wal.segment(first, seed: 1)
        let segment = try #require(WALSegment(fileName: first, size: 1 << 20))
        func end(_ count: UInt64) -> LSN { LSN(rawValue: segment.startLSN.rawValue + count) }
        var beginning = UnfinishedSegment(segment)
        for count: UInt64 in [100, 10_000, 20_000] {
            try await archive.pushUnfinished(path, &beginning, end: end(count))
            #expect(store.keys.map(\.text) == ["wal_005/\(first).\(end(count).hex16).partial.zst"])
        }
        // Another safekeeper of the same history, with less and with more.
        var second = UnfinishedSegment(segment)
        try await archive.pushUnfinished(path, &second, end: end(15_000))
        #expect(store.keys.map(\.text) == ["wal_005/\(first).\(end(20_000).hex16).partial.zst"])
        try await archive.pushUnfinished(path, &second, end: end(30_000))
        let longest = "wal_005/\(first).\(end(30_000).hex16).partial.zst"
        #expect(store.keys.map(\.text) == [longest])

        let other = try wal.write(SampleWAL.content(first, seed: 2), "other")
        for count: UInt64 in [12_000, 40_000] {
            var third = UnfinishedSegment(segment)
            await #expect(throws: WALArchiveError.self) {
                try await archive.pushUnfinished(other, &third, end: end(count))
            }
        }
        try await archive.removeUnfinished(other, UnfinishedSegment(segment))
        #expect(store.keys.map(\.text) == [longest])
        _ = try await archive.push(path, as: name(first))
        try await archive.removeUnfinished(path, UnfinishedSegment(segment))
        #expect(store.keys.map(\.text) == ["wal_005/\(first).zst"])
        var late = UnfinishedSegment(segment)
        await #expect(throws: WALArchiveError.self) {
            try await archive.pushUnfinished(other, &late, end: end(50_000))
        }
    }

    @Test("the inventory names gaps by TLI, partials, histories and what cannot be read")
    func inventory() async throws {
        let wal = try SampleWAL()
        let store = MemoryObjectStore()
        let archive = writer(store)
        for text in ["1 FE", "1 FF", "2 102", "2 103", "2 107"] {
            let parts = text.split(separator: " ")
            let segment = WALSegment(
                timeline: UInt32(parts[0])!, number: UInt64(parts[1], radix: 16)!, size: 1 << 20)
            _ = try await archive.push(try wal.segment(segment.fileName), as: WALFileName(segment))
        }
        // On TLI 1, across the 4 GiB that a segment of 1 MiB has 4,096 of.
        let far = WALSegment(timeline: 1, number: 0x1001, size: 1 << 20)
        _ = try await archive.push(try wal.segment(far.fileName), as: WALFileName(far))
        let partial = "000000010000000000000101.partial"
        _ = try await archive.push(try wal.segment(partial), as: name(partial))
        store.replace("wal_005/00000002.history.zst", with: [0])
        store.replace("wal_005/000000020000000000000108.br", with: [0])
        store.replace(ObjectKey("wal_005/\(first)_delta.lz4"), with: [0])
        let inventory = try await archive.reader.inventory(segmentSize: try await archive.reader.segmentSize())
        #expect(inventory.segmentSize == 1 << 20)
        #expect(inventory.timelines.map(\.timeline) == [1, 2])
        let (one, two) = (inventory.timelines[0], inventory.timelines[1])
        #expect(one.segmentCount == 3 && two.segmentCount == 4)
        #expect(
            one.gaps.map { "\($0.first) \($0.last) \($0.count)" } == [
                "000000010000000000000100 000000010000000100000000 3841"
            ])
        #expect(
            two.gaps.map { "\($0.first) \($0.last) \($0.count)" } == [
                "000000020000000000000104 000000020000000000000106 3"
            ])
        #expect(one.partials.map(\.text) == [partial] && !one.hasHistory && two.hasHistory)
        #expect(inventory.unreadable.map(\.text) == ["wal_005/000000020000000000000108.br"])
        let empty = try await writer(MemoryObjectStore()).reader.inventory(segmentSize: nil)
        #expect(empty.timelines.isEmpty)
    }
}
