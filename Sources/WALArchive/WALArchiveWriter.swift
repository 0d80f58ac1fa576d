import Glibc
public import ObjectStorage
public import PostgresFormat

/// A WAL archive that is opened for writing. Nothing that it has is ever overwritten; nothing is removed but beginnings
/// of segments that it has more of.
public struct WALArchiveWriter: Sendable {
    public let reader: WALArchiveReader
    private let store: any ObjectStore
    private let compression: WALCompression

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
        let (file, sizeBytes) = try await BlockingWork.run { [systemIdentifier = reader.systemIdentifier] _ in
            try Self.open(path, name, systemIdentifier)
        }
        let present = try await reader.objects(named: name)
        if !present.isEmpty {
            try await compare(file, sizeBytes, with: present)
            return .alreadyThere
        }
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
        // Another may have put it with another packing in the meantime: at least one of the two sees the other's.
        let others = try await reader.objects(named: name).filter { $0.key != key }
        try await compare(file, sizeBytes, with: others)
        return .stored
    }

    /// Brings the beginning of a segment that is being written into the archive, up to `end`, and takes away those that
    /// go less far: they are a part of it.
    ///
    /// - Parameter path: The segment's file; what is below `end` changes no more.
    public func pushUnfinished(_ path: String, _ segment: WALSegment, end: LSN) async throws {
        let name = WALFileName(unfinished: segment, end: end)
        let sizeBytes = Int(end.rawValue - segment.startLSN.rawValue)
        let file = try await BlockingWork.run { [systemIdentifier = reader.systemIdentifier] _ in
            let file = try LocalFile.open(reading: path)
            try WALContentCheck.check(file, sizeBytes: sizeBytes, name, systemIdentifier: systemIdentifier)
            return file
        }
        let content = CompressedFile(file: file, sizeBytes: sizeBytes, compression: compression)
        do {
            try await store.put(reader.key(name, compression.codec), .stream(content), mode: .createOnly)
        } catch {
            if let cause = error.cause as? WALArchiveError { throw cause }
            // Another safekeeper of this timeline was quicker.
            guard error.code == .alreadyExists else { throw error }
        }
        try await removeUnfinished(of: segment, below: end)
    }

    /// Takes away beginnings of a segment that are not needed any more.
    ///
    /// - Parameter end: Those that go less far than this; nil: all of them, as the archive has the segment.
    public func removeUnfinished(of segment: WALSegment, below end: LSN?) async throws(ObjectStoreError) {
        let keys = try await reader.unfinished(of: WALFileName(segment)).compactMap { object -> ObjectKey? in
            guard case .unfinished(let found) = object.name.kind, end.map({ found < $0 }) ?? true else { return nil }
            return object.key
        }
        if !keys.isEmpty { try await store.delete(keys) }
    }

    /// Pushes files in their order, up to `parallel` at the same time. One that fails stops no other: `each` hears of
    /// every one as it ends.
    public func offload(
        _ files: [LocalWAL], parallel: Int, each: (LocalWAL, Result<PushOutcome, any Error>) async -> Void
    ) async {
        // Children give a number and an outcome of their own type: with a tuple of the file and a `Result`, the 6.3
        // compiler's optimizer makes a task that crashes when it ends.
        await withTaskGroup(of: Ended.self) { group in
            for (index, file) in files.enumerated() {
                if index >= max(1, parallel), let ended = await group.next() {
                    await each(files[ended.index], ended.result)
                }
                group.addTask { await end(index, file) }
            }
            for await ended in group { await each(files[ended.index], ended.result) }
        }
    }

    private struct Ended: Sendable {
        let index: Int
        let result: Result<PushOutcome, any Error>
    }

    private func end(_ index: Int, _ file: LocalWAL) async -> Ended {
        do { return Ended(index: index, result: .success(try await push(file.path, as: file.name))) } catch {
            return Ended(index: index, result: .failure(error))
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
            let comparison = Comparison(file)
            let storedBytes: Int
            do {
                storedBytes = try await reader.read(object) { bytes throws(WALArchiveError) in
                    try comparison.take(bytes)
                }
            } catch WALArchiveError.unreadable(let reason) {
                throw WALArchiveError.unreadable("\(file.path) cannot be compared with what is archived: \(reason)")
            }
            guard storedBytes == sizeBytes, !comparison.differs else {
                throw WALArchiveError.conflict(
                    "\(file.path) differs from \(object.key) in \(store.location), which is archived under its name: "
                        + "two servers have written it; nothing was overwritten")
            }
        }
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
    private var offset = 0
    private let local: UnsafeMutableRawBufferPointer
    private(set) var differs = false

    init(_ file: LocalFile) {
        self.file = file
        local = .allocate(byteCount: 256 << 10, alignment: 64)
    }

    deinit { local.deallocate() }

    func take(_ bytes: UnsafeRawBufferPointer) throws(WALArchiveError) {
        var rest = bytes
        while !rest.isEmpty, !differs {
            let step = UnsafeRawBufferPointer(rebasing: rest.prefix(local.count))
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: local[..<step.count]), at: offset)
            differs = count != step.count || memcmp(local.baseAddress!, step.baseAddress!, count) != 0
            offset += step.count
            rest = UnsafeRawBufferPointer(rebasing: rest[step.count...])
        }
    }
}
