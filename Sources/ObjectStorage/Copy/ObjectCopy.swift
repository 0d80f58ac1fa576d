/// Copies objects from one storage into another, several at once. Memory does not depend on their number or size.
public struct ObjectCopy: Sendable {
    /// What was copied.
    public struct Totals: Sendable, Equatable {
        public var objectCount: Int
        public var byteCount: Int

        public init(objectCount: Int = 0, byteCount: Int = 0) {
            self.objectCount = objectCount
            self.byteCount = byteCount
        }
    }

    /// Up to this size an object is read by one request, and written from memory.
    private static let smallBytes = 4 << 20
    /// How many are under way at a time: small ones wait for answers, large ones for bytes.
    private static let smallAtOnce = 32
    private static let largeAtOnce = 4
    private static let readAhead = 2

    private let source: any ReadableStore
    private let target: any ObjectStore
    private let mode: PutMode
    private let onBytes: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - mode: With `.createOnly` an object that is there already ends the copying.
    ///   - onBytes: Called with the bytes of each object, or piece of one, that was copied.
    public init(
        from source: any ReadableStore, to target: any ObjectStore, mode: PutMode,
        onBytes: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.source = source
        self.target = target
        self.mode = mode
        self.onBytes = onBytes
    }

    /// Copies every object whose key begins with `prefix`, under the same keys. The first failure ends the others.
    public func copyAll(prefix: String = "") async throws -> Totals {
        try await withThrowingTaskGroup(of: ObjectInfo.self) { group in
            var totals = Totals()
            // Under way: small ones and large ones.
            var active = (small: 0, large: 0)
            func finish(_ object: ObjectInfo) {
                totals.objectCount += 1
                totals.byteCount += object.sizeBytes
                if object.sizeBytes <= Self.smallBytes { active.small -= 1 } else { active.large -= 1 }
            }
            for try await object in source.listAll(prefix: prefix) {
                let isSmall = object.sizeBytes <= Self.smallBytes
                while isSmall ? active.small >= Self.smallAtOnce : active.large >= Self.largeAtOnce {
                    guard let done = try await group.next() else { break }
                    finish(done)
                }
                if isSmall { active.small += 1 } else { active.large += 1 }
                group.addTask {
                    try await copy(object, to: object.key)
                    return object
                }
            }
            for try await object in group { finish(object) }
            return totals
        }
    }

    /// Copies one object.
    public func copy(_ object: ObjectInfo, to key: ObjectKey) async throws {
        if let files = source as? FileObjectStore {
            try await target.put(key, .file(path: files.path(of: object.key)), mode: mode)
            onBytes(object.sizeBytes)
        } else if object.sizeBytes <= Self.smallBytes {
            let bytes = try await source.get(object.key, range: nil)
            try await target.put(key, .bytes(bytes), mode: mode)
            onBytes(bytes.count)
        } else {
            let pieces = ObjectPieces(
                store: source, key: object.key, sizeBytes: object.sizeBytes, pieceBytes: Self.smallBytes,
                readAhead: Self.readAhead)
            try await target.put(key, .stream(CountedPieces(pieces: pieces, onBytes: onBytes)), mode: mode)
        }
    }
}

/// The pieces of a sequence, each counted as it is taken.
public struct CountedPieces<Pieces: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Pieces.Element == [UInt8], Pieces.Failure == any Error {
    public typealias Element = [UInt8]
    public typealias Failure = any Error

    private let pieces: Pieces
    private let onBytes: @Sendable (Int) -> Void

    public init(pieces: Pieces, onBytes: @escaping @Sendable (Int) -> Void) {
        self.pieces = pieces
        self.onBytes = onBytes
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(pieces: pieces.makeAsyncIterator(), onBytes: onBytes)
    }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var pieces: Pieces.AsyncIterator
        fileprivate let onBytes: @Sendable (Int) -> Void

        public mutating func next() async throws -> [UInt8]? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            let piece = try await pieces.next(isolation: actor)
            if let piece { onBytes(piece.count) }
            return piece
        }
    }
}
