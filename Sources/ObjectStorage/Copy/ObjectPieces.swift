/// An object's content in pieces and in order, the next ones being fetched while one is used: what a store takes to
/// write, without a file in between. Memory is `readAhead + 1` pieces.
struct ObjectPieces: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    let store: any ReadableStore
    let key: ObjectKey
    let sizeBytes: Int
    let pieceBytes: Int
    let readAhead: Int

    func makeAsyncIterator() -> Iterator { Iterator(self) }

    /// Fetches that nobody takes any more end with the iterator.
    final class Iterator: AsyncIteratorProtocol {
        private let object: ObjectPieces
        private var fetches: [Task<[UInt8], any Error>] = []
        private var askedBytes = 0

        fileprivate init(_ object: ObjectPieces) { self.object = object }

        deinit { for fetch in fetches { fetch.cancel() } }

        func next() async throws -> [UInt8]? { try await next(isolation: nil) }

        func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            while fetches.count <= object.readAhead, askedBytes < object.sizeBytes { fetchNext() }
            guard !fetches.isEmpty else { return nil }
            let fetch = fetches.removeFirst()
            return try await withTaskCancellationHandler {
                try await fetch.value
            } onCancel: {
                fetch.cancel()
            }
        }

        private func fetchNext() {
            let range = askedBytes..<Swift.min(object.sizeBytes, askedBytes + object.pieceBytes)
            askedBytes = range.upperBound
            fetches.append(
                Task { [store = object.store, key = object.key] in
                    let bytes = try await store.get(key, range: range)
                    guard bytes.count == range.count else {
                        throw ObjectStoreError(
                            .corrupt,
                            "\(store.location): get \(key): \(bytes.count) bytes at \(range): changed while it was read"
                        )
                    }
                    return bytes
                })
        }
    }
}
