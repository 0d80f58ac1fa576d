public import ObjectStorage
public import PostgresFormat
public import WALRedo

/// Page indexes of WAL segments, in a storage or in a directory: an object each, under the segment's name.
public struct WALIndexReader: Sendable {
    public let store: any ReadableStore
    /// What all keys begin with: `wal_index_001/`, or `timelines/<timeline>/wal_index_001/`; empty in a directory.
    public let prefix: String

    public init(_ store: any ReadableStore, prefix: String = "") {
        self.store = store
        self.prefix = prefix
    }

    /// For messages: the storage and the prefix.
    public var description: String { prefix.isEmpty ? "\(store.location)" : "\(store.location)/\(prefix)" }

    public enum Found: Sendable {
        /// Of this segment, and of all records that begin in it.
        case sound(WALPageIndex)
        case missing
        /// As good as missing: it fails its checks, or is of another version, of another segment or of a part of it.
        case damaged(reason: String)
    }

    public func find(_ segment: WALSegment) async throws(ObjectStoreError) -> Found {
        let bytes: [UInt8]
        do { bytes = try await store.get(key(segment)) } catch {
            if error.code == .notFound { return .missing }
            throw error
        }
        return Self.judge(bytes, segment)
    }

    private static func judge(_ bytes: [UInt8], _ segment: WALSegment) -> Found {
        do {
            let index = try WALPageIndex(parsing: bytes)
            guard index.segment == segment else { return .damaged(reason: "it is of \(index.segment)") }
            guard index.end == segment.endLSN else { return .damaged(reason: "it ends at \(index.end)") }
            return .sound(index)
        } catch { return .damaged(reason: "\(error)") }
    }

    /// How many bytes each index has that lies there, from that of a segment on, by the segments' names.
    public func sizes(from first: WALSegment) async throws(ObjectStoreError) -> [String: Int] {
        var sizes: [String: Int] = [:]
        // A name that sorts right before the first one's.
        let before = ObjectKey(prefix + first.fileName.dropLast())
        for try await info in store.listAll(prefix: prefix, after: before) {
            sizes[String(info.key.text.dropFirst(prefix.count))] = info.sizeBytes
        }
        return sizes
    }

    func key(_ segment: WALSegment) -> ObjectKey { ObjectKey(prefix + segment.fileName) }
}

/// The same, to be written.
public struct WALIndexWriter: Sendable {
    public let reader: WALIndexReader
    private let store: any ObjectStore

    public init(_ store: any ObjectStore, prefix: String = "") {
        self.store = store
        reader = WALIndexReader(store, prefix: prefix)
    }

    /// Keeps an index. Another writer's of the same segment is the same, byte by byte; what differs is damaged, or of an
    /// earlier version, and is replaced: an index is made of WAL that is there, and made anew at any time.
    ///
    /// - Parameter index: Of a whole segment.
    public func put(_ index: WALPageIndex) async throws(ObjectStoreError) {
        precondition(index.end == index.segment.endLSN, "it is the index of a part of a segment")
        let key = reader.key(index.segment)
        do { try await store.put(key, .bytes(index.bytes), mode: .createOnly) } catch {
            guard error.code == .alreadyExists else { throw error }
            guard try await store.get(key) != index.bytes else { return }
            try await store.put(key, .bytes(index.bytes), mode: .overwrite)
        }
    }
}
