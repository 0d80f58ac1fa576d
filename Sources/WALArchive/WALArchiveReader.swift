public import ObjectStorage

/// WAL files in a storage, in WAL-G's layout: one object each, `<prefix><name>.zst`, `.lz4`, or the bare name.
public struct WALArchiveReader: Sendable {
    public let store: any ReadableStore
    /// What all keys begin with: `wal_005/`, or `timelines/<timeline>/wal_005/`.
    public let prefix: String
    /// Whose WAL this is, where that is known. A segment of another cluster counts as damaged.
    public let systemIdentifier: UInt64?
    /// The packing that is tried first.
    public let expected: WALCodec

    public init(
        _ store: any ReadableStore, prefix: String, systemIdentifier: UInt64? = nil, expected: WALCodec = .zstd
    ) {
        self.store = store
        self.prefix = prefix
        self.systemIdentifier = systemIdentifier
        self.expected = expected
    }

    /// For messages: the storage and the prefix.
    public var description: String { "\(store.location): \(prefix)" }

    public enum FetchOutcome: Sendable, Equatable {
        /// It is in its place, and on disk.
        case fetched(sizeBytes: Int)
        /// The archive has no such file.
        case missing
    }

    /// Brings a file to `target`, a path on this machine, which has it whole or not at all.
    ///
    /// - Parameters:
    ///   - temporary: Where it grows: in the target's file system. Nil: beside the target.
    ///   - takesUnfinished: Where a segment is missing, its beginning will do, if a safekeeper has left one: zeros
    ///     follow it, where PostgreSQL ends. There may be more of it later.
    /// - Throws: `WALArchiveError.damaged` when it is not what its name promises, `.unreadable` when it is there but
    ///   packed in a way that is not read, `.file` about the target; `ObjectStoreError`.
    public func fetch(
        _ name: WALFileName, to target: String, temporary: String? = nil, takesUnfinished: Bool = false
    ) async throws -> FetchOutcome {
        let temporary = temporary ?? target + ".zenith-fetch"
        do {
            // Most of the time it is there as this program writes it, and no listing is needed.
            let object = WALObject(name: name, key: key(name, expected), packing: .readable(expected))
            return .fetched(sizeBytes: try await fetch(object, to: target, temporary))
        } catch let error as ObjectStoreError where error.code == .notFound {}
        var object = try await whole(name)
        if object == nil, takesUnfinished, name.kind == .segment { object = try await unfinished(of: name).last }
        guard let object else { return .missing }
        return .fetched(sizeBytes: try await fetch(object, to: target, temporary))
    }

    private func fetch(_ object: WALObject, to target: String, _ temporary: String) async throws -> Int {
        let file = try await BlockingWork.run { _ in try LocalFile.create(temporary) }
        do {
            let contentBytes = try await read(object) { bytes throws(WALArchiveError) in try file.write(bytes) }
            return try await BlockingWork.run { _ in
                var sizeBytes = contentBytes
                if case .unfinished = object.name.kind {
                    // `xlp_seg_size`, which was checked.
                    let field = try file.read(4, at: 32)
                    sizeBytes = field.reversed().reduce(0) { $0 << 8 | Int($1) }
                    try file.extend(to: sizeBytes)
                }
                try file.commit(as: target)
                return sizeBytes
            }
        } catch {
            _ = await BlockingWork.shared.runRegardless { file.discard() }
            throw error
        }
    }

    /// Reads an object whole: hands its unpacked content to `consume`, in order and on a thread for blocking work,
    /// and checks it. Returns its length.
    func read(
        _ object: WALObject, _ consume: @escaping @Sendable (UnsafeRawBufferPointer) throws(WALArchiveError) -> Void
    ) async throws -> Int {
        let codec = try codec(of: object)
        let content = ObjectContent(
            decompressor: Decompressor(codec),
            check: WALContentCheck(object.name, systemIdentifier: systemIdentifier), consume: consume)
        do {
            try await store.stream(object.key, pieceBytes: Self.pieceBytes) { piece in
                try await BlockingWork.run { _ in try content.take(piece) }
            }
            return try content.finish()
        } catch WALArchiveError.damaged(let reason) {
            throw WALArchiveError.damaged("\(store.location): \(object.key) is damaged: \(reason)")
        }
    }

    func codec(of object: WALObject) throws(WALArchiveError) -> WALCodec {
        if case .readable(let codec) = object.packing { return codec }
        throw .unreadable(
            "\(store.location): \(object.key) is packed as \(object.packing), which is not read here: unpack it, "
                + "and pack it with zstd or lz4")
    }

    /// Small enough for several transfers side by side; most segments come in one.
    static let pieceBytes = 4 << 20

    /// The names of the files that lie there whole, in names' order from `first` on.
    public func names(from first: WALFileName) async throws(ObjectStoreError) -> Set<WALFileName> {
        var found: Set<WALFileName> = []
        for try await info in store.listAll(prefix: prefix, after: ObjectKey(prefix + first.text)) {
            if let object = object(info) { found.insert(object.name) }
        }
        return found
    }

    /// All that lies under a name, whatever it is packed as. One short listing.
    func objects(named name: WALFileName) async throws(ObjectStoreError) -> [WALObject] {
        var found: [WALObject] = []
        for try await info in store.listAll(prefix: prefix + name.text, pageCount: 100) {
            // A segment's name also begins those of partial and backup files.
            if let object = object(info), object.name == name { found.append(object) }
        }
        return found
    }

    /// All that lies under the names, whatever it is packed as: by one listing from the first to the last. Names that
    /// nothing lies under are not in it.
    func objects(named names: [WALFileName]) async throws(ObjectStoreError) -> [WALFileName: [WALObject]] {
        guard let first = names.min(), let last = names.max() else { return [:] }
        let wanted = Set(names)
        var found: [WALFileName: [WALObject]] = [:]
        // A file that is not packed has the bare name as its key, which is what the listing has to begin before.
        let before = ObjectKey(prefix + first.text.dropLast())
        for try await info in store.listAll(prefix: prefix, after: before) {
            guard let object = object(info) else { continue }
            // Between a segment's name and its key with a suffix come the keys of what is partial.
            if object.name > last, !object.name.text.hasPrefix(last.text) { break }
            if wanted.contains(object.name) { found[object.name, default: []].append(object) }
        }
        return found
    }

    /// What is read of all that lies under a name.
    func whole(_ name: WALFileName) async throws(ObjectStoreError) -> WALObject? {
        try await objects(named: name).min { $0.preference < $1.preference }
    }

    /// The beginnings of a segment that lie there; the last goes furthest.
    func unfinished(of segment: WALFileName) async throws(ObjectStoreError) -> [WALObject] {
        var found: [WALObject] = []
        for try await info in store.listAll(prefix: prefix + segment.text + ".", pageCount: 100) {
            if let object = object(info), case .unfinished = object.name.kind { found.append(object) }
        }
        return found.sorted { $0.name < $1.name }
    }

    func key(_ name: WALFileName, _ codec: WALCodec) -> ObjectKey { ObjectKey(prefix + name.text + codec.suffix) }

    /// What an object of a listing is; nil for what is no WAL file: WAL-G keeps other things beside them.
    func object(_ info: ObjectInfo) -> WALObject? {
        guard info.key.text.hasPrefix(prefix) else { return nil }
        let text = info.key.text.dropFirst(prefix.count)
        let suffixes: [(String, WALObject.Packing)] =
            [(".zst", .readable(.zstd)), (".lz4", .readable(.lz4))]
            + WALCodec.unreadable.map { ($0, .unreadable($0)) }
            // WAL-G 3.0.8 left the dot of an extension that there is none of.
            + [(".", .readable(.plain)), ("", .readable(.plain))]
        for (suffix, packing) in suffixes where text.hasSuffix(suffix) {
            guard let name = WALFileName(text.dropLast(suffix.count)) else { return nil }
            return WALObject(name: name, key: info.key, packing: packing, sizeBytes: info.sizeBytes)
        }
        return nil
    }
}

/// One WAL file as it lies in the storage.
public struct WALObject: Sendable, Hashable {
    public enum Packing: Sendable, Hashable, CustomStringConvertible {
        case readable(WALCodec)
        /// The extension, with its dot.
        case unreadable(String)

        public var description: String {
            switch self {
            case .readable(let codec): codec == .plain ? "plain" : String(codec.suffix.dropFirst())
            case .unreadable(let suffix): String(suffix.dropFirst())
            }
        }
    }

    public let name: WALFileName
    public let key: ObjectKey
    public let packing: Packing
    /// As it lies there, packed.
    public var sizeBytes = 0

    /// Of several under one name the lowest is read.
    var preference: Int {
        guard case .readable(let codec) = packing else { return .max }
        return WALCodec.allCases.firstIndex(of: codec) ?? .max
    }
}

/// An object on its way from its packing to where it goes.
///
/// - Note: Not guarded: `ReadableStore.stream` waits for each piece to be taken before it hands over the next.
private final class ObjectContent: @unchecked Sendable {
    private let decompressor: Decompressor
    private var check: WALContentCheck
    private let consume: (UnsafeRawBufferPointer) throws(WALArchiveError) -> Void
    private var sizeBytes = 0

    init(
        decompressor: Decompressor, check: WALContentCheck,
        consume: @escaping @Sendable (UnsafeRawBufferPointer) throws(WALArchiveError) -> Void
    ) {
        self.decompressor = decompressor
        self.check = check
        self.consume = consume
    }

    func take(_ piece: [UInt8]) throws(WALArchiveError) {
        try decompressor.expand(piece) { bytes throws(WALArchiveError) in
            sizeBytes += bytes.count
            try check.take(bytes)
            try consume(bytes)
        }
    }

    func finish() throws(WALArchiveError) -> Int {
        try decompressor.finish()
        try check.finish()
        return sizeBytes
    }
}
