import Glibc
public import ObjectStorage
import PostgresFormat

/// A WAL archive that is opened for writing. Nothing that it has is ever overwritten; nothing is removed but beginnings
/// of segments that it has more of.
public struct WALArchiveWriter: Sendable {
    public let reader: WALArchiveReader
    let store: any ObjectStore
    let compression: WALCompression

    public init(
        _ store: any ObjectStore, prefix: String, systemIdentifier: UInt64? = nil, compression: WALCompression
    ) {
        self.store = store
        self.compression = compression
        reader = WALArchiveReader(
            store, prefix: prefix, systemIdentifier: systemIdentifier, expected: compression.codec)
    }

    public enum PushOutcome: Sendable, Equatable {
        case stored
        /// The archive had the same content already.
        case alreadyThere
    }

    /// Brings a local file into the archive. When this returns, the archive has it under this name, with this content.
    ///
    /// Several may push the same file at the same time, with other packings too: what one finds there, it compares. A
    /// storage without create-if-absent looks before it writes; two that write within that moment are not told apart.
    ///
    /// - Throws: `WALArchiveError.conflict` when the archive has another content under this name, `.damaged` when the
    ///   file is not what the name promises, or what lies there is damaged; `.unreadable`, `.file`; `ObjectStoreError`.
    public func push(_ path: String, as name: WALFileName) async throws -> PushOutcome {
        let (file, sizeBytes) = try await open(path, name)
        let present = try await reader.objects(named: name)
        if !present.isEmpty {
            try await compare(file, sizeBytes, with: present)
            return .alreadyThere
        }
        let outcome = try await store(file, sizeBytes, as: name)
        guard outcome == .stored else { return outcome }
        // Another may have put it with another packing in the meantime: at least one of the two sees the other's.
        try await compare(file, sizeBytes, with: others(try await reader.objects(named: name), than: name))
        return .stored
    }

    private func store(_ file: LocalFile, _ sizeBytes: Int, as name: WALFileName) async throws -> PushOutcome {
        let key = reader.key(name, compression.codec)
        let content = CompressedFile(file: file, sizeBytes: sizeBytes, compression: compression)
        do {
            try await store.put(key, .stream(content), mode: .createOnly)
        } catch {
            if let cause = error.cause as? WALArchiveError { throw cause }
            guard error.code == .alreadyExists else { throw error }
            let object = WALObject(name: name, key: key, packing: .readable(compression.codec))
            try await compare(file, sizeBytes, with: [object])
            return .alreadyThere
        }
        return .stored
    }

    /// What lies there under a name beside what this writer put.
    private func others(_ objects: [WALObject], than name: WALFileName) -> [WALObject] {
        let own = reader.key(name, compression.codec)
        return objects.filter { $0.key != own }
    }

    /// Pushes files in their order, up to `parallel` at the same time. One that fails stops no other, but for a conflict:
    /// what follows it here is another history, and does not belong behind what is archived. So all that is archived
    /// already is compared first, and no file behind a conflict is stored.
    ///
    /// What is archived is asked for once before and once behind, and not for each file: a few requests of a millisecond
    /// or, far away, of fifty, are as much as the file itself.
    ///
    /// - Parameter each: Hears of every file: of those that fail, and those that are there, as they end; of those that
    ///   were stored, when all are.
    public func offload(
        _ files: [LocalWAL], parallel: Int, each: (LocalWAL, Result<PushOutcome, any Error>) async -> Void
    ) async {
        let present: [WALFileName: [WALObject]]
        do { present = try await reader.objects(named: files.map(\.name)) } catch {
            for file in files { await each(file, .failure(error)) }
            return
        }
        var conflict: (index: Int, error: any Error)?
        func note(_ index: Int, _ error: any Error) {
            guard case WALArchiveError.conflict = error, index < conflict?.index ?? .max else { return }
            conflict = (index, error)
        }
        let comparing: @Sendable (Int) async -> Ended = { index in
            await attempt(index, files[index]) { file, sizeBytes in
                try await compare(file, sizeBytes, with: present[files[index].name] ?? [])
                return .alreadyThere
            }
        }
        await perform(files.indices.filter { present[files[$0].name] != nil }, parallel, comparing) { ended in
            if case .failure(let error) = ended.result { note(ended.index, error) }
            await each(files[ended.index], ended.result)
            return .max
        }
        let missing = files.indices.filter { present[files[$0].name] == nil }
        let storing: @Sendable (Int) async -> Ended = { index in
            await attempt(index, files[index]) { try await store($0, $1, as: files[index].name) }
        }
        var stored: [Int] = []
        let begun = await perform(missing.filter { $0 < conflict?.index ?? .max }, parallel, storing) { ended in
            switch ended.result {
            case .success(.stored): stored.append(ended.index)
            case .success(.alreadyThere): await each(files[ended.index], ended.result)
            case .failure(let error):
                note(ended.index, error)
                await each(files[ended.index], ended.result)
            }
            return conflict?.index ?? .max
        }
        await confirm(stored.sorted(), of: files, each)
        guard let conflict else { return }
        for index in missing where !begun.contains(index) { await each(files[index], .failure(conflict.error)) }
    }

    /// Another may have put some of what was stored with another packing in the meantime: at least one of the two sees
    /// the other's.
    private func confirm(
        _ stored: [Int], of files: [LocalWAL],
        _ each: (LocalWAL, Result<PushOutcome, any Error>) async -> Void
    ) async {
        guard !stored.isEmpty else { return }
        let present: [WALFileName: [WALObject]]
        do { present = try await reader.objects(named: stored.map { files[$0].name }) } catch {
            for index in stored { await each(files[index], .failure(error)) }
            return
        }
        for index in stored {
            let name = files[index].name
            let others = others(present[name] ?? [], than: name)
            guard !others.isEmpty else {
                await each(files[index], .success(.stored))
                continue
            }
            let ended = await attempt(index, files[index]) { file, sizeBytes in
                try await compare(file, sizeBytes, with: others)
                return .stored
            }
            await each(files[index], ended.result)
        }
    }

    private struct Ended: Sendable {
        let index: Int
        let result: Result<PushOutcome, any Error>
    }

    /// - Parameter each: Hears of every one as it ends, and gives the index from which on none is to be begun.
    /// - Returns: Those that were begun.
    @discardableResult
    private func perform(
        _ indices: [Int], _ parallel: Int, _ work: @escaping @Sendable (Int) async -> Ended,
        each: (Ended) async -> Int
    ) async -> Set<Int> {
        var begun: Set<Int> = []
        var limit = Int.max
        // Children give a type of their own: with a tuple of the file and a `Result`, the 6.3 compiler's optimizer
        // makes a task that crashes when it ends.
        await withTaskGroup(of: Ended.self) { group in
            for (place, index) in indices.enumerated() {
                if place >= max(1, parallel), let ended = await group.next() { limit = await each(ended) }
                guard index < limit else { break }
                begun.insert(index)
                group.addTask { await work(index) }
            }
            for await ended in group { _ = await each(ended) }
        }
        return begun
    }

    private func attempt(
        _ index: Int, _ local: LocalWAL, _ work: (LocalFile, Int) async throws -> PushOutcome
    ) async -> Ended {
        do {
            let (file, sizeBytes) = try await open(local.path, local.name)
            return Ended(index: index, result: .success(try await work(file, sizeBytes)))
        } catch { return Ended(index: index, result: .failure(error)) }
    }

    private func open(_ path: String, _ name: WALFileName) async throws -> (file: LocalFile, sizeBytes: Int) {
        try await BlockingWork.run { [systemIdentifier = reader.systemIdentifier] _ in
            try Self.open(path, name, systemIdentifier)
        }
    }

    private static func open(
        _ path: String, _ name: WALFileName, _ systemIdentifier: UInt64?
    ) throws(WALArchiveError) -> (file: LocalFile, sizeBytes: Int) {
        let file = try LocalFile.open(reading: path)
        let sizeBytes = try file.sizeBytes()
        do throws(WALArchiveError) {
            try WALContentCheck.check(file, sizeBytes: sizeBytes, name, systemIdentifier: systemIdentifier)
        } catch {
            guard case .damaged(let reason) = error else { throw error }
            throw .damaged("\(path) is not what its name \(name) promises: \(reason)")
        }
        return (file, sizeBytes)
    }

    private func compare(_ file: LocalFile, _ sizeBytes: Int, with objects: [WALObject]) async throws {
        for object in objects {
            let (storedBytes, differs) = try await comparison(file, sizeBytes, object)
            guard storedBytes == sizeBytes, !differs else { throw conflict(file, object) }
        }
    }

    /// Compares up to where one of the two ends.
    func comparison(
        _ file: LocalFile, _ sizeBytes: Int, _ object: WALObject
    ) async throws -> (storedBytes: Int, differs: Bool) {
        let comparison = Comparison(file, sizeBytes: sizeBytes)
        do {
            let storedBytes = try await reader.read(object) { bytes throws(WALArchiveError) in
                try comparison.take(bytes)
            }
            return (storedBytes, comparison.differs)
        } catch WALArchiveError.unreadable(let reason) {
            throw WALArchiveError.unreadable("\(file.path) cannot be compared with what is archived: \(reason)")
        }
    }

    func conflict(_ file: LocalFile, _ object: WALObject) -> WALArchiveError {
        .conflict(
            "\(file.path) differs from \(object.key) in \(store.location), which is archived under its name: two "
                + "servers have written it; nothing was overwritten")
    }
}

extension WALContentCheck {
    /// Checks a local file by its first page and its length, without reading the rest.
    static func check(
        _ file: LocalFile, sizeBytes: Int, _ name: WALFileName, systemIdentifier: UInt64?
    ) throws(WALArchiveError) {
        var check = WALContentCheck(name, systemIdentifier: systemIdentifier)
        let start = try file.read(min(sizeBytes, 8192), at: 0)
        var fault: WALArchiveError?
        start.withUnsafeBytes { bytes in
            do throws(WALArchiveError) { try check.take(bytes) } catch { fault = error }
        }
        if let fault { throw fault }
        try check.skip(sizeBytes - start.count)
        try check.finish()
    }
}

/// Compares a file with content that comes piece by piece.
///
/// - Note: Not guarded: `ReadableStore.stream` waits for each piece to be taken before it hands over the next.
private final class Comparison: @unchecked Sendable {
    private let file: LocalFile
    private let sizeBytes: Int
    private var offset = 0
    private let local: UnsafeMutableRawBufferPointer
    private(set) var differs = false

    init(_ file: LocalFile, sizeBytes: Int) {
        self.file = file
        self.sizeBytes = sizeBytes
        local = .allocate(byteCount: 256 << 10, alignment: 64)
    }

    deinit { local.deallocate() }

    func take(_ bytes: UnsafeRawBufferPointer) throws(WALArchiveError) {
        var rest = bytes.prefix(max(0, sizeBytes - offset))
        while !rest.isEmpty, !differs {
            let step = UnsafeRawBufferPointer(rebasing: rest.prefix(local.count))
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: local[..<step.count]), at: offset)
            differs = count != step.count || memcmp(local.baseAddress!, step.baseAddress!, count) != 0
            offset += step.count
            rest = rest.dropFirst(step.count)
        }
    }
}
