import Testing

@testable import ObjectStorage

extension ConformanceCase {
    static let listingCases: [ConformanceCase] = [
        ConformanceCase("many objects are listed whole, in order, from any key") { target in
            let store = target.store
            let keys = (0..<target.listedCount).map { ObjectKey("list/d\($0 / 50)/f\($0)") }
            try await fill(store, keys)
            let sorted = keys.sorted()
            for pageCount in [1000, target.listedCount / 3 + 1] {
                var listed: [ObjectKey] = []
                for try await object in store.listAll(prefix: "list/", pageCount: pageCount) {
                    listed.append(object.key)
                    #expect(object.sizeBytes == 1)
                }
                #expect(listed == sorted, "pages of \(pageCount)")
            }
            let middle = sorted.count / 2
            var rest: [ObjectKey] = []
            for try await object in store.listAll(prefix: "list/", after: sorted[middle]) { rest.append(object.key) }
            #expect(rest == Array(sorted[(middle + 1)...]))
            let between = ObjectKey(sorted[middle].text + "!")
            let page = try await store.list(prefix: "list/", delimiter: nil, after: between, limit: 5)
            #expect(page.objects.map(\.key) == Array(sorted[(middle + 1)...].prefix(5)))

            let directories = Set(keys.map { key in String(key.text.prefix { $0 != "f" }) }).map { ObjectKey($0) }
            let expected = directories.sorted().map(\.text)
            #expect(try await store.listDirectories(prefix: "list/") == expected)
            var paged: [String] = []
            var after: ObjectKey?
            repeat {
                let page = try await store.list(prefix: "list/", delimiter: "/", after: after, limit: 7)
                #expect(page.objects.isEmpty && page.commonPrefixes.count <= 7)
                paged += page.commonPrefixes
                after = page.next
            } while after != nil
            #expect(paged == expected)
            for start in stride(from: 0, to: keys.count, by: 1000) {
                try await store.delete(Array(keys[start..<min(keys.count, start + 1000)]))
            }
            #expect(try await store.isEmpty())
        },
        ConformanceCase("listings keep the byte order of whole keys") { target in
            let store = target.store
            let texts = ["a.b", "a/x", "a/y/z", "a0", "a-b", "ab", "b/c/d", "b!", "zz"]
            try await fill(store, texts.map { ObjectKey($0) })
            func list(_ prefix: String, _ after: ObjectKey? = nil, limit: Int = 100) async throws -> [String] {
                let page = try await store.list(prefix: prefix, delimiter: nil, after: after, limit: limit)
                return page.objects.map(\.key.text)
            }
            #expect(try await list("") == ["a-b", "a.b", "a/x", "a/y/z", "a0", "ab", "b!", "b/c/d", "zz"])
            #expect(try await list("a/") == ["a/x", "a/y/z"])
            #expect(try await list("a") == ["a-b", "a.b", "a/x", "a/y/z", "a0", "ab"])
            #expect(try await list("a/y") == ["a/y/z"])
            #expect(try await list("a/y/zz") == [])
            #expect(try await list("", "a/") == ["a/x", "a/y/z", "a0", "ab", "b!", "b/c/d", "zz"])
            #expect(try await list("a/", "a.z") == ["a/x", "a/y/z"])
            #expect(try await list("a/", "b") == [])
            #expect(try await list("", "zz") == [])
            let top = try await store.list(prefix: "", delimiter: "/", after: nil, limit: 100)
            #expect(top.objects.map(\.key.text) == ["a-b", "a.b", "a0", "ab", "b!", "zz"])
            #expect(top.commonPrefixes == ["a/", "b/"] && top.next == nil)
            let below = try await store.list(prefix: "a/", delimiter: "/", after: nil, limit: 100)
            #expect(below.objects.map(\.key.text) == ["a/x"] && below.commonPrefixes == ["a/y/"])
            let past = try await store.list(prefix: "", delimiter: "/", after: "a/", limit: 100)
            #expect(past.commonPrefixes == ["b/"] && past.objects.map(\.key.text) == ["a0", "ab", "b!", "zz"])
            #expect(try await store.list(prefix: "none", delimiter: "/", after: nil, limit: 1).next == nil)
        },
    ]

    static let interruptionCases: [ConformanceCase] = [
        ConformanceCase("a stream that throws leaves nothing") { target in
            for count in [0, 1, 20] {
                let body = PieceStream(pieces: Array(repeating: testBytes(1 << 20), count: count), end: .fail).body
                var failure: ObjectStoreError?
                do throws(ObjectStoreError) {
                    try await target.store.put("broken", body, mode: .overwrite)
                } catch { failure = error }
                #expect(failure != nil)
                #expect(failure?.cause is PieceStream.Broken, "\(String(describing: failure))")
                #expect(try await target.store.isEmpty())
            }
            try await target.store.put("kept", .bytes([7]), mode: .overwrite)
            let body = PieceStream(pieces: [[1], [2]], end: .fail).body
            #expect(try await errorCode { try await target.store.put("kept", body, mode: .overwrite) } != nil)
            #expect(try await target.store.get("kept") == [7])
        },
        ConformanceCase("a put that is cancelled in the middle leaves nothing") { target in
            for count in [1, 20] {
                var failure: ObjectStoreError?
                let (taken, continuation) = AsyncStream<Void>.makeStream()
                let stream = PieceStream(
                    pieces: Array(repeating: testBytes(1 << 20), count: count), end: .hang,
                    whenTaken: { continuation.finish() })
                let task = Task { try await target.store.put("cancelled", stream.body, mode: .createOnly) }
                for await _ in taken {}
                task.cancel()
                let clock = ContinuousClock()
                let start = clock.now
                do { _ = try await task.value } catch let error as ObjectStoreError { failure = error }
                #expect(failure?.code == .unavailable, "\(String(describing: failure))")
                #expect(failure?.cause is CancellationError)
                // The stream would wait for a quarter of an hour.
                #expect(clock.now - start < .seconds(600))
                #expect(try await target.store.isEmpty())
            }
            let before = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await errorCode {
                    try await target.store.put("never", .bytes([1]), mode: .overwrite)
                }
            }
            #expect(try await before.value == .unavailable)
            #expect(try await target.store.exists("never") == false)
        },
    ]

    private static func fill(_ store: any ObjectStore, _ keys: [ObjectKey]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, key) in keys.enumerated() {
                if index >= 16 { try await group.next() }
                group.addTask { try await store.put(key, .bytes([1]), mode: .createOnly) }
            }
            try await group.waitForAll()
        }
    }
}
