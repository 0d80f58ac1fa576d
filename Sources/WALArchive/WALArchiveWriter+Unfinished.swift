import ObjectStorage
public import PostgresFormat

/// Beginnings of a segment in an archive, which several safekeepers of one history may leave there.
public struct UnfinishedSegment: Sendable {
    public let segment: WALSegment
    /// Beginnings that hold what the local file holds.
    private(set) var agreed: Set<ObjectKey> = []

    public init(_ segment: WALSegment) { self.segment = segment }

    mutating func agree(_ key: ObjectKey) { agreed.insert(key) }
}

extension WALArchiveWriter {
    /// Brings the beginning of a segment that is being written into the archive, up to `end`, where it does not have as
    /// much, and takes away those that go less far: they are a part of it.
    ///
    /// - Parameter path: The segment's file; what is below `end` changes no more.
    /// - Throws: `WALArchiveError.conflict` where the archive has another beginning, or the segment with another one.
    public func pushUnfinished(_ path: String, _ unfinished: inout UnfinishedSegment, end: LSN) async throws {
        let segment = unfinished.segment
        let name = WALFileName(unfinished: segment, end: end)
        let sizeBytes = Int(end.rawValue - segment.startLSN.rawValue)
        let file = try await BlockingWork.run { [systemIdentifier = reader.systemIdentifier] _ in
            let file = try LocalFile.open(reading: path)
            try WALContentCheck.check(file, sizeBytes: sizeBytes, name, systemIdentifier: systemIdentifier)
            return file
        }
        let present = try await archived(segment)
        for object in present where try await !agrees(file, sizeBytes, object, &unfinished) {
            throw conflict(file, object)
        }
        guard !present.contains(where: { $0.holds(end) }) else { return }
        let key = reader.key(name, compression.codec)
        let content = CompressedFile(file: file, sizeBytes: sizeBytes, compression: compression)
        do {
            try await store.put(key, .stream(content), mode: .createOnly)
            unfinished.agree(key)
        } catch {
            if let cause = error.cause as? WALArchiveError { throw cause }
            // Another safekeeper of this timeline was quicker.
            guard error.code == .alreadyExists else { throw error }
            let object = WALObject(name: name, key: key, packing: .readable(compression.codec))
            guard try await agrees(file, sizeBytes, object, &unfinished) else { throw conflict(file, object) }
        }
        let older = present.filter { !$0.holds(end) }
        if !older.isEmpty { try await store.delete(older.map(\.key)) }
    }

    /// Takes away the beginnings of a segment that the archive has whole by now. One that is not a part of it stays.
    ///
    /// - Parameter path: The segment's file.
    public func removeUnfinished(_ path: String, _ unfinished: UnfinishedSegment) async throws {
        var unfinished = unfinished
        let segment = unfinished.segment
        let file = try await BlockingWork.run { _ in try LocalFile.open(reading: path) }
        var keys: [ObjectKey] = []
        for object in try await reader.unfinished(of: WALFileName(segment))
        where try await agrees(file, segment.size, object, &unfinished) { keys.append(object.key) }
        if !keys.isEmpty { try await store.delete(keys) }
    }

    /// What the archive has of a segment, whole or not.
    private func archived(_ segment: WALSegment) async throws -> [WALObject] {
        let name = WALFileName(segment)
        return try await reader.unfinished(of: name) + reader.objects(named: name)
    }

    /// Whether an object is the same as the file, as far as both go.
    private func agrees(
        _ file: LocalFile, _ sizeBytes: Int, _ object: WALObject, _ unfinished: inout UnfinishedSegment
    ) async throws -> Bool {
        if unfinished.agreed.contains(object.key) { return true }
        do {
            guard try await !comparison(file, sizeBytes, object).differs else { return false }
        } catch let error as ObjectStoreError {
            // Another safekeeper has more by now, and has just taken it away.
            guard error.code == .notFound else { throw error }
        }
        unfinished.agree(object.key)
        return true
    }
}

extension WALObject {
    /// Whether it goes as far as this.
    fileprivate func holds(_ end: LSN) -> Bool {
        if case .unfinished(let found) = name.kind { found >= end } else { name.kind == .segment }
    }
}
