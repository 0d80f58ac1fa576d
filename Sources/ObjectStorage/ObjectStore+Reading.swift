extension ReadableStore {
    /// The whole object. Meant for small ones; see `stream`.
    public func get(_ key: ObjectKey) async throws(ObjectStoreError) -> [UInt8] { try await get(key, range: nil) }

    public func exists(_ key: ObjectKey) async throws(ObjectStoreError) -> Bool {
        do throws(ObjectStoreError) {
            _ = try await head(key)
            return true
        } catch {
            if error.code == .notFound { return false }
            throw error
        }
    }

    /// Hands an object, or a range of it, to `consume` in pieces and in order, while the next ones are fetched.
    ///
    /// - Parameters:
    ///   - range: Cut off at the object's end; nil: all of it.
    ///   - pieceBytes: The length of each piece but the last.
    ///   - readAhead: How many pieces are fetched, or wait, while one is consumed. This bounds the memory.
    /// - Returns: How many bytes there were.
    /// - Throws: `ObjectStoreError` where reading failed, or what `consume` throws.
    @discardableResult
    public func stream(
        _ key: ObjectKey, range: Range<Int>? = nil, pieceBytes: Int = 8 << 20, readAhead: Int = 2,
        _ consume: ([UInt8]) async throws -> Void
    ) async throws -> Int {
        precondition(pieceBytes > 0 && readAhead > 0, "a piece has bytes, and one is fetched at a time at least")
        let start = range?.lowerBound ?? 0
        let wantedEnd = range?.upperBound ?? .max
        // Most objects end within one piece, and then take one request.
        let firstCount = min(pieceBytes, wantedEnd - start)
        let first = try await get(key, range: start..<(start + firstCount))
        if first.count < firstCount || start + firstCount == wantedEnd {
            if !first.isEmpty { try await consume(first) }
            return first.count
        }
        let end = min(wantedEnd, try await head(key).sizeBytes)
        let pieces = stride(from: start + pieceBytes, to: end, by: pieceBytes).map { $0..<min(end, $0 + pieceBytes) }
        try await consumeInOrder(key, pieces, readAhead, first, consume)
        return max(first.count, end - start)
    }

    private func consumeInOrder(
        _ key: ObjectKey, _ pieces: [Range<Int>], _ readAhead: Int, _ first: [UInt8],
        _ consume: ([UInt8]) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (index: Int, bytes: [UInt8]).self) { group in
            func fetch(_ index: Int) {
                let piece = pieces[index]
                group.addTask {
                    let bytes = try await get(key, range: piece)
                    guard bytes.count == piece.count else {
                        throw ObjectStoreError(
                            .corrupt,
                            "\(location): get \(key): \(bytes.count) bytes at \(piece): changed while it was read")
                    }
                    return (index, bytes)
                }
            }
            for index in pieces.indices.prefix(readAhead) { fetch(index) }
            try await consume(first)
            var arrived: [Int: [UInt8]] = [:]
            for index in pieces.indices {
                while arrived[index] == nil, let piece = try await group.next() { arrived[piece.index] = piece.bytes }
                guard let bytes = arrived.removeValue(forKey: index) else { break }
                if index + readAhead < pieces.count { fetch(index + readAhead) }
                try await consume(bytes)
            }
        }
    }
}
