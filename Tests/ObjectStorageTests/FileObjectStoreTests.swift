import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

@Suite("file store", .timeLimit(.minutes(30)))
struct FileObjectStoreTests {
    let directory: TemporaryDirectory
    let root: String

    init() throws {
        directory = try TemporaryDirectory()
        root = directory.path + "/root"
    }

    private func store(beneath: Bool = true) -> FileObjectStore {
        FileObjectStore(root: root, location: nil, resolvesBeneath: beneath && FileTree.kernelResolvesBeneath)
    }

    @Test(
        "keys that would leave the root, or that no file can have, are refused",
        arguments: [
            "..", "../x", "a/../b", "a/..", "/etc/passwd", "/", "", "a//b", "a/", ".", "./a", "a/./b", "a\0b",
            ".zenith-tmp-1", "a/.zenith-tmp-x/b", String(repeating: "n", count: 256),
            Array(repeating: "d", count: 600).joined(separator: "/"),
        ])
    func impossibleKeys(text: String) async throws {
        let key = ObjectKey(text)
        let store = store()
        #expect(try await errorCode { try await store.put(key, .bytes([1]), mode: .overwrite) } == .invalid)
        #expect(try await errorCode { _ = try await store.get(key) } == .invalid)
        #expect(try await errorCode { _ = try await store.head(key) } == .invalid)
        #expect(try await errorCode { try await store.delete(["fine", key]) } == .invalid)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    }

    @Test("a listing's prefix does not leave the root", arguments: ["../", "../outside", "a/../../", "/", "//"])
    func prefixes(prefix: String) async throws {
        try FileManager.default.createDirectory(atPath: directory.path + "/outside", withIntermediateDirectories: true)
        #expect(FileManager.default.createFile(atPath: directory.path + "/outside/file", contents: Data([1])))
        let store = store()
        try await store.put("a/b", .bytes([1]), mode: .overwrite)
        #expect(try await store.list(prefix: prefix, delimiter: nil, after: nil, limit: 10).objects == [])
        #expect(try await store.list(prefix: prefix, delimiter: "/", after: nil, limit: 10).commonPrefixes == [])
    }

    @Test("symlinks below the root are neither followed nor listed", arguments: [true, false])
    func symlinks(beneath: Bool) async throws {
        let files = FileManager.default
        let store = store(beneath: beneath)
        try await store.put("real/o", .bytes([1]), mode: .overwrite)
        let outside = directory.path + "/outside"
        try files.createDirectory(atPath: outside, withIntermediateDirectories: true)
        #expect(files.createFile(atPath: outside + "/secret", contents: Data([9])))
        try files.createSymbolicLink(atPath: root + "/dir", withDestinationPath: outside)
        try files.createSymbolicLink(atPath: root + "/file", withDestinationPath: outside + "/secret")
        try files.createSymbolicLink(atPath: root + "/inner", withDestinationPath: "real")

        for key: ObjectKey in ["dir/secret", "file", "inner/o"] {
            #expect(try await errorCode { _ = try await store.get(key) } == .corrupt, "\(key)")
            #expect(try await errorCode { _ = try await store.head(key) } == .corrupt, "\(key)")
        }
        for key: ObjectKey in ["dir/new", "dir/below/new", "inner/new"] {
            let code = try await errorCode { try await store.put(key, .bytes([1]), mode: .overwrite) }
            #expect(code == .corrupt, "\(key)")
        }
        #expect(try await errorCode { try await store.delete(["dir/secret"]) } == .corrupt)
        #expect(try await store.list(prefix: "", delimiter: nil, after: nil, limit: 9).objects.map(\.key) == ["real/o"])
        #expect(try await store.listDirectories(prefix: "") == ["real/"])
        #expect(try files.contentsOfDirectory(atPath: outside) == ["secret"])
        // An overwrite takes the link's place, and leaves what it points to.
        try await store.put("file", .bytes([2]), mode: .overwrite)
        #expect(files.contents(atPath: outside + "/secret") == Data([9]))
        #expect(try await store.get("file") == [2])
    }

    @Test("one name cannot be an object and a directory of others")
    func nested() async throws {
        let store = store()
        try await store.put("a/b", .bytes([1]), mode: .overwrite)
        for mode in [PutMode.overwrite, .createOnly] {
            #expect(try await errorCode { try await store.put("a", .bytes([2]), mode: mode) } == .invalid)
            #expect(try await errorCode { try await store.put("a/b/c", .bytes([2]), mode: mode) } == .invalid)
        }
        #expect(try await store.get("a/b") == [1])
    }

    @Test("deleting leaves no empty directories, and the root if it was there before")
    func emptyParents() async throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let store = store()
        try await store.put("a/b/c/d", .bytes([1]), mode: .overwrite)
        try await store.put("a/other", .bytes([1]), mode: .overwrite)
        try await store.delete(["a/b/c/d"])
        #expect(try FileManager.default.subpathsOfDirectory(atPath: root).sorted() == ["a", "a/other"])
        try await store.delete(["a/other"])
        #expect(try FileManager.default.subpathsOfDirectory(atPath: root) == [])
        #expect(FileManager.default.fileExists(atPath: root))
    }

    @Test("a storage that was only tried out leaves no directory, and may be written to again")
    func emptyRoot() async throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let store = FileObjectStore(root: root + "/made/here")
        for _ in 0..<2 {
            try await store.put("a/b", .bytes([1]), mode: .createOnly)
            try await store.put("c", .bytes([1]), mode: .createOnly)
            try await store.delete(["c"])
            #expect(FileManager.default.fileExists(atPath: root + "/made/here/a/b"))
            try await store.delete(["a/b"])
            #expect(try FileManager.default.subpathsOfDirectory(atPath: root) == [])
        }
    }

    @Test("what a killed writer left goes when it is a day old, and is never listed")
    func abandoned() async throws {
        let store = store()
        try await store.put("d/o", .bytes([1]), mode: .overwrite)
        let (old, new) = (root + "/d/.zenith-tmp-1-old", root + "/d/.zenith-tmp-1-new")
        for path in [old, new] { #expect(FileManager.default.createFile(atPath: path, contents: Data([1]))) }
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -90_000)], ofItemAtPath: old)
        #expect(try await store.list(prefix: "", delimiter: nil, after: nil, limit: 9).objects.map(\.key) == ["d/o"])
        try await self.store().put("d/p", .bytes([1]), mode: .overwrite)
        #expect(!FileManager.default.fileExists(atPath: old))
        #expect(FileManager.default.fileExists(atPath: new))
    }

    @Test("a local file is taken as it is; what is no file is refused")
    func files() async throws {
        let bytes = testBytes(9 << 20)
        let path = directory.path + "/source"
        #expect(FileManager.default.createFile(atPath: path, contents: Data(bytes)))
        let store = store()
        #expect(try await store.put("o", .file(path: path), mode: .createOnly).sizeBytes == bytes.count)
        #expect(try await store.get("o") == bytes)
        for path in [directory.path, path + "-none", "/dev/null"] {
            let code = try await errorCode { try await store.put("p", .file(path: path), mode: .overwrite) }
            #expect(code == .invalid)
        }
        #expect(try await store.exists("p") == false)
    }

    @Test("a storage that is not there is empty; one whose root is a file is refused")
    func roots() async throws {
        let store = store()
        #expect(try await store.isEmpty())
        #expect(try await errorCode { _ = try await store.get("a") } == .notFound)
        #expect(FileManager.default.createFile(atPath: root, contents: nil))
        #expect(try await errorCode { _ = try await store.isEmpty() } == .invalid)
        #expect(try await errorCode { _ = try await store.get("a") } == .invalid)
        #expect(try await errorCode { try await store.put("a", .bytes([]), mode: .overwrite) } == .invalid)
    }

    @Test("listings agree with a sorted list", arguments: 1...8 as ClosedRange<UInt64>)
    func listingModel(seed: UInt64) async throws {
        var generator = ListingGenerator(state: seed)
        let store = store()
        var keys: Set<ObjectKey> = []
        for _ in 0..<150 {
            let key = generator.key()
            // Names that are an object here are never a directory: they end differently.
            try await store.put(key, .bytes([1]), mode: .overwrite)
            keys.insert(key)
        }
        let model = MemoryObjectStore()
        for key in keys { try await model.put(key, .bytes([1]), mode: .overwrite) }
        for _ in 0..<200 {
            let prefix = generator.part(of: generator.key().text)
            let after = Bool.random(using: &generator) ? nil : ObjectKey(generator.part(of: generator.key().text))
            let delimiter = Bool.random(using: &generator) ? nil : "/"
            let limit = Int.random(in: 1...20, using: &generator)
            let ours = try await store.list(prefix: prefix, delimiter: delimiter, after: after, limit: limit)
            let theirs = try await model.list(prefix: prefix, delimiter: delimiter, after: after, limit: limit)
            let context: Comment = "seed \(seed): prefix \(prefix) after \(String(describing: after)) limit \(limit)"
            #expect(ours.objects == theirs.objects, context)
            #expect(ours.commonPrefixes == theirs.commonPrefixes, context)
            #expect(ours.next == theirs.next, context)
            if delimiter == nil {
                let sorted = keys.filter { $0.text.utf8.starts(with: prefix.utf8) && $0 > after ?? "" }.sorted()
                #expect(ours.objects.map(\.key) == Array(sorted.prefix(limit)), context)
            }
        }
    }

    @Test("a listing of many directories is quick")
    func listingTime() async throws {
        let store = store()
        for directory in 0..<1000 {
            let path = root + "/snapshots/snapshot-\(directory)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            for name in ["manifest", "pack-1", "pack-2"] {
                #expect(FileManager.default.createFile(atPath: path + "/" + name, contents: nil))
            }
        }
        let clock = ContinuousClock()
        var count = 0
        let duration = try await clock.measure {
            for try await _ in store.listAll(prefix: "snapshots/") { count += 1 }
        }
        #expect(count == 3000)
        print("3,000 objects in 1,000 directories listed in \(duration)")
    }
}

private struct ListingGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func key() -> ObjectKey {
        let names = ["a", "b", "a.b", "a-", "a0", "aa", "é", "z", "a!", "-"]
        let directories = (0..<Int.random(in: 0...3, using: &self)).map { _ in names.randomElement(using: &self)! }
        let file = names.randomElement(using: &self)! + "~f"
        return ObjectKey((directories + [file]).joined(separator: "/"))
    }

    mutating func part(of text: String) -> String {
        String(text.prefix(Int.random(in: 0...text.count, using: &self)))
    }
}
