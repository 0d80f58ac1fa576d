import ObjectStorage

/// A local file's content, compressed while it is read: memory does not depend on its length.
struct CompressedFile: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    let file: LocalFile
    /// As it was when the file was checked. One that has another length by then has changed, and fails.
    let sizeBytes: Int
    let compression: WALCompression

    func makeAsyncIterator() -> Iterator {
        Iterator(file: file, sizeBytes: sizeBytes, compressor: Compressor(compression, contentBytes: sizeBytes))
    }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let file: LocalFile
        fileprivate let sizeBytes: Int
        fileprivate let compressor: Compressor
        private var offset = 0
        private var isFinished = false

        fileprivate init(file: LocalFile, sizeBytes: Int, compressor: Compressor) {
            self.file = file
            self.sizeBytes = sizeBytes
            self.compressor = compressor
        }

        mutating func next() async throws -> [UInt8]? { try await nextPiece() }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? { try await nextPiece() }

        private mutating func nextPiece() async throws -> [UInt8]? {
            if isFinished { return nil }
            let (file, compressor, sizeBytes, start) = (file, compressor, sizeBytes, offset)
            let (piece, end) = try await BlockingWork.run { cancellation in
                try Self.compress(file, compressor, from: start, sizeBytes: sizeBytes, cancellation)
            }
            offset = end
            isFinished = end == sizeBytes
            return piece
        }

        /// Goes on until there is enough to be worth a call.
        private static func compress(
            _ file: LocalFile, _ compressor: Compressor, from start: Int, sizeBytes: Int,
            _ cancellation: BlockingWork.Cancellation
        ) throws -> (piece: [UInt8], end: Int) {
            let wantedBytes = 1 << 20
            var piece: [UInt8] = []
            var offset = start
            repeat {
                try cancellation.check()
                let count = Swift.min(Compressor.stepBytes, sizeBytes - offset)
                let content = try file.read(count, at: offset)
                guard content.count == count else {
                    throw WALArchiveError.damaged("\(file.path) became shorter while it was read")
                }
                offset += count
                try content.withUnsafeBytes {
                    try compressor.compress($0, isLast: offset == sizeBytes, into: &piece)
                }
            } while offset < sizeBytes && piece.count < wantedBytes
            return (piece, offset)
        }
    }
}
