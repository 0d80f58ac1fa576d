import Synchronization
import Testing

@testable import ObjectStorage

/// An empty store that a conformance case may fill, and what the case has to know of it.
struct ConformanceTarget: Sendable {
    var store: any ObjectStore
    /// What the store sends in one piece; objects around this size, and many times as large, are tried.
    var partBytes = 5 << 20
    /// How many objects the listing cases make: fewer for a server that is slow to take them.
    var listedCount = 2500
    /// How long one part of a key, between slashes, may be.
    var segmentBytes = 200
    /// Whether a key may have empty parts between slashes, as `a//b`. Directories have no way to say so.
    var takesEmptySegments = true
}

/// One thing that every store must do alike. A suite runs all of `ConformanceCase.all` on each of its stores:
///
///     @Test(arguments: ConformanceCase.all) func conforms(_ one: ConformanceCase) async throws {
///         try await one.run(ConformanceTarget(store: …))
///     }
struct ConformanceCase: Sendable, CustomTestStringConvertible {
    let name: String
    let run: @Sendable (ConformanceTarget) async throws -> Void
    var testDescription: String { name }

    init(_ name: String, _ run: @escaping @Sendable (ConformanceTarget) async throws -> Void) {
        self.name = name
        self.run = run
    }

    static let all = contentCases + keyCases + listingCases + writingCases + interruptionCases
}

/// The code of the error that `body` throws; nil when it throws none.
func errorCode(_ body: () async throws -> Void) async throws -> ObjectStoreError.Code? {
    do { try await body() } catch let error as ObjectStoreError { return error.code }
    return nil
}

/// A stream of these pieces, which then ends, throws, or waits until its task is cancelled.
struct PieceStream: Sendable {
    enum End: Sendable { case finish, fail, hang }
    struct Broken: Error, Equatable {}
    var pieces: [[UInt8]]
    var end = End.finish
    /// Called when all pieces were taken.
    var whenTaken: @Sendable () -> Void = {}

    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        func take() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
    }

    var body: ObjectBody {
        let next = Counter()
        return .stream(
            AsyncThrowingStream(unfolding: {
                let index = next.take()
                if index < pieces.count { return pieces[index] }
                whenTaken()
                switch end {
                case .finish: break
                case .fail: throw Broken()
                case .hang: try await Task.sleep(for: .seconds(900))
                }
                return nil
            }))
    }
}

extension ConformanceCase {
    static let contentCases: [ConformanceCase] = [
        ConformanceCase("objects of every size come back as they were put") { target in
            let part = target.partBytes
            for size in [0, 1, 1000, part - 1, part, part + 1, 3 * part + 17] {
                let key = ObjectKey("sizes/\(size)")
                let bytes = testBytes(size, seed: UInt64(size))
                let info = try await target.store.put(key, .bytes(bytes), mode: .overwrite)
                #expect(info.key == key && info.sizeBytes == size)
                #expect(try await target.store.head(key).sizeBytes == size)
                #expect(same(try await target.store.get(key, range: nil), bytes), "\(size) bytes")
                var streamed: [UInt8] = []
                let count = try await target.store.stream(key, pieceBytes: max(1, part / 3)) { streamed += $0 }
                #expect(count == size && streamed == bytes, "\(size) bytes, streamed")
            }
        },
        ConformanceCase("ranges are cut off at the object's end") { target in
            let size = 100_000
            let bytes = testBytes(size)
            try await target.store.put("ranged", .bytes(bytes), mode: .overwrite)
            let ranges = [
                0..<0, 0..<1, 0..<size, 0..<(size + 1), 1..<size, 5..<5, 4_095..<8_193, (size - 1)..<size,
                (size - 1)..<(size + 10), size..<size, size..<(size + 1), (size + 5)..<(size + 10), 0..<Int.max,
                (size - 3)..<Int.max,
            ]
            for range in ranges {
                let expected = Array(bytes[range.clamped(to: 0..<size)])
                #expect(same(try await target.store.get("ranged", range: range), expected), "\(range)")
            }
            try await target.store.put("empty", .bytes([]), mode: .overwrite)
            #expect(try await target.store.get("empty", range: 0..<10) == [])
            let code = try await errorCode { _ = try await target.store.get("ranged", range: -1..<5) }
            #expect(code == .invalid)
        },
        ConformanceCase("what is not there is not found, and deleting it is no error") { target in
            let store = target.store
            #expect(try await errorCode { _ = try await store.head("none") } == .notFound)
            #expect(try await errorCode { _ = try await store.get("none", range: nil) } == .notFound)
            #expect(try await errorCode { _ = try await store.get("none/below", range: 0..<1) } == .notFound)
            #expect(try await store.exists("none") == false)
            try await store.delete(["none", "none/below"])
            try await store.delete([])
            try await store.put("a/b/c", .bytes([1]), mode: .overwrite)
            #expect(try await errorCode { _ = try await store.head("a/b") } == .notFound)
            try await store.delete(["a/b/c", "none"])
            #expect(try await store.exists("a/b/c") == false)
            #expect(try await store.isEmpty())
        },
    ]

    static let keyCases: [ConformanceCase] = [
        ConformanceCase("keys are any text") { target in
            let store = target.store
            let segments = Array(repeating: String(repeating: "k", count: target.segmentBytes - 1), count: 900)
            let long = String(segments.joined(separator: "/").prefix(899)) + "z"
            let texts = [
                "with space", " leading", "a+b", "100%", "%2F", "a=b&c=d", "a?b#c", "a:b;c@d", "'quotes\"", "~tilde",
                "back\\slash", "(paren)[bracket]{brace}", "star*", "comma,", "$dollar!", "ümlaut", "日本語/鍵",
                "e\u{301}", "\u{E9}", "emoji-🐘", "UPPER", "upper", "dots...", ".hidden", "a<b>c", "tab\there", long,
            ]
            for (index, text) in texts.enumerated() {
                try await store.put(ObjectKey(text), .bytes([UInt8(index)]), mode: .createOnly)
            }
            for (index, text) in texts.enumerated() {
                #expect(try await store.get(ObjectKey(text)) == [UInt8(index)], "\(text)")
                #expect(try await store.head(ObjectKey(text)).sizeBytes == 1, "\(text)")
                let found = try await store.list(prefix: text, delimiter: nil, after: nil, limit: 10).objects
                #expect(found.contains { $0.key == ObjectKey(text) }, "\(text)")
            }
            var listed: [ObjectKey] = []
            for try await object in store.listAll(pageCount: 7) { listed.append(object.key) }
            #expect(listed == texts.map { ObjectKey($0) }.sorted())
            try await store.delete(texts.map { ObjectKey($0) })
            #expect(try await store.isEmpty())
        },
        ConformanceCase("a key with an empty part is another key, or refused") { target in
            let store = target.store
            guard target.takesEmptySegments else {
                for key in ["a//b", "a/", "/a"] {
                    let code = try await errorCode {
                        try await store.put(ObjectKey(key), .bytes([1]), mode: .overwrite)
                    }
                    #expect(code == .invalid, "\(key)")
                }
                return
            }
            let keys: [ObjectKey] = ["/a", "a//b", "a/b", "a///b"]
            for (index, key) in keys.enumerated() {
                try await store.put(key, .bytes([UInt8(index)]), mode: .createOnly)
            }
            for (index, key) in keys.enumerated() { #expect(try await store.get(key) == [UInt8(index)], "\(key)") }
            let listed = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10).objects
            #expect(listed.map(\.key) == keys.sorted())
            let below = try await store.list(prefix: "a/", delimiter: "/", after: nil, limit: 10)
            #expect(below.objects.map(\.key) == ["a/b"] && below.commonPrefixes == ["a//"])
            try await store.delete(keys)
            #expect(try await store.isEmpty())
        },
    ]

    static let writingCases: [ConformanceCase] = [
        ConformanceCase("an overwrite replaces all of an object") { target in
            try await target.store.put("o", .bytes(testBytes(5000)), mode: .overwrite)
            try await target.store.put("o", .bytes([1, 2, 3]), mode: .overwrite)
            #expect(try await target.store.get("o") == [1, 2, 3])
            #expect(try await target.store.head("o").sizeBytes == 3)
        },
        ConformanceCase("create-if-absent leaves what is there") { target in
            let store = target.store
            try await store.put("once", .bytes([1]), mode: .createOnly)
            let again = try await errorCode { try await store.put("once", .bytes([2]), mode: .createOnly) }
            #expect(again == .alreadyExists)
            let large = PieceStream(pieces: Array(repeating: testBytes(1 << 20), count: 12))
            let streamed = try await errorCode { try await store.put("once", large.body, mode: .createOnly) }
            #expect(streamed == .alreadyExists)
            #expect(try await store.get("once") == [1])
            try await store.delete(["once"])
            try await store.put("once", .bytes([3]), mode: .createOnly)
            #expect(try await store.get("once") == [3])
        },
        ConformanceCase("of sixteen that create, one wins") { target in
            guard target.store.createsAtomically else { return }
            for size in [10, 200_000] {
                let key = ObjectKey("race/\(size)")
                let winners = try await withThrowingTaskGroup(of: Int?.self) { group in
                    for writer in 0..<16 {
                        group.addTask {
                            let bytes = [UInt8](repeating: UInt8(writer), count: size + writer)
                            let code = try await errorCode {
                                try await target.store.put(key, .bytes(bytes), mode: .createOnly)
                            }
                            #expect(code == nil || code == .alreadyExists)
                            return code == nil ? writer : nil
                        }
                    }
                    return try await group.reduce(into: [Int]()) { if let winner = $1 { $0.append(winner) } }
                }
                #expect(winners.count == 1)
                let winner = winners.first ?? 0
                #expect(
                    try await target.store.get(key) == [UInt8](repeating: UInt8(winner), count: size + winner))
            }
        },
        ConformanceCase("sixty-four callers at once each see their own") { target in
            let store = target.store
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<64 {
                    group.addTask {
                        let keys = (0..<3).map { ObjectKey("callers/\(caller)/\($0)") }
                        let bytes = testBytes(1000 * caller + 1, seed: UInt64(caller))
                        for key in keys { try await store.put(key, .bytes(bytes), mode: .createOnly) }
                        for key in keys { #expect(same(try await store.get(key), bytes)) }
                        let prefix = "callers/\(caller)/"
                        let page = try await store.list(prefix: prefix, delimiter: nil, after: nil, limit: 10)
                        #expect(page.objects.map(\.key) == keys)
                        try await store.delete(keys)
                        #expect(try await store.exists(keys[1]) == false)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.isEmpty())
        },
        ConformanceCase("pieces of any size make one object") { target in
            let sizes = [0, 1, 70_000, 0, target.partBytes, 3, target.partBytes + 1, 1]
            let pieces = sizes.enumerated().map { testBytes($0.element, seed: UInt64($0.offset)) }
            let body = PieceStream(pieces: pieces).body
            let info = try await target.store.put("streamed", body, mode: .createOnly)
            #expect(info.sizeBytes == sizes.reduce(0, +))
            #expect(try await target.store.get("streamed") == Array(pieces.joined()))
            try await target.store.put("nothing", PieceStream(pieces: []).body, mode: .overwrite)
            #expect(try await target.store.get("nothing") == [])
        },
    ]
}
