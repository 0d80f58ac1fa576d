import StorageURI
import SystemPackage

/// An object's content, cut into parts. Of a stream it holds one part at a time.
struct PartSource {
    private enum Source {
        case bytes([UInt8])
        case file(OpenFile)
        case stream(StreamReader)
    }
    private let source: Source
    /// The length, where it is known before.
    private let byteCount: Int?
    private let partSize: Int
    private var offset = 0
    private var partCount = 0
    private(set) var isAtEnd = false

    /// After how many parts of a stream, whose length is not known, they double in size.
    private let partsBeforeDoubling: Int

    /// What most services take at most.
    private static let maximumParts = 10_000
    private static let mebibyte = 1 << 20
    private static let largestDoubling = 4

    /// - Parameters:
    ///   - maximumParts: What the service takes at most.
    ///   - wholeBytes: Content whose length is known before is one part up to this.
    init(
        _ body: ObjectBody, partSize: Int, maximumParts: Int = Self.maximumParts, wholeBytes: Int = 0
    ) throws(ServiceFailure) {
        switch body {
        case .bytes(let bytes):
            source = .bytes(bytes)
            byteCount = bytes.count
        case .file(let path):
            do throws(Errno) {
                let file = try OpenFile(path: path)
                source = .file(file)
                byteCount = try file.byteCount()
            } catch {
                throw ServiceFailure(.invalid, "cannot read \(path): \(error)")
            }
        case .stream(let pieces):
            source = .stream(StreamReader(pieces))
            byteCount = nil
        }
        partsBeforeDoubling = maximumParts / 5
        let isWhole = byteCount.map { $0 <= wholeBytes } ?? false
        let partSize = isWhole ? wholeBytes : partSize
        let needed = byteCount.map { ($0 + maximumParts - 1) / maximumParts } ?? 0
        // Whole MiB, so that parts begin where pages of the file do.
        self.partSize = needed <= partSize ? partSize : ((needed + Self.mebibyte - 1) / Self.mebibyte) * Self.mebibyte
    }

    /// Where the parts lie in the whole, for storages that take them by their place.
    struct Layout: Sendable {
        fileprivate let partSize: Int
        fileprivate let partsBeforeDoubling: Int
        fileprivate let isStream: Bool

        /// - Parameter number: Counted from 1.
        func offset(ofPart number: Int) -> Int {
            var (offset, rest, size) = (0, number - 1, partSize)
            while isStream, rest > partsBeforeDoubling, size < partSize << PartSource.largestDoubling {
                offset += partsBeforeDoubling * size
                rest -= partsBeforeDoubling
                size *= 2
            }
            return offset + rest * size
        }
    }

    var layout: Layout {
        if case .stream = source {
            return Layout(partSize: partSize, partsBeforeDoubling: partsBeforeDoubling, isStream: true)
        }
        return Layout(partSize: partSize, partsBeforeDoubling: partsBeforeDoubling, isStream: false)
    }

    /// The next part; nil when there is nothing at all.
    mutating func next() async throws(ServiceFailure) -> HTTPBody? {
        guard !isAtEnd else { return nil }
        partCount += 1
        let start = offset
        switch source {
        case .bytes(let bytes):
            let count = min(partSize, bytes.count - start)
            advance(count, of: bytes.count)
            return .bytes(bytes, start..<start + count)
        case .file(let file):
            let total = byteCount ?? 0
            let count = min(partSize, total - start)
            advance(count, of: total)
            return .file(FileRegion(file: file, offset: start, count: count))
        case .stream(let reader):
            let size = partSize << min((partCount - 1) / partsBeforeDoubling, Self.largestDoubling)
            do {
                let bytes = try await reader.read(size)
                isAtEnd = try await reader.isAtEnd()
                offset += bytes.count
                return bytes.isEmpty ? nil : .bytes(bytes)
            } catch {
                if error is CancellationError { throw ServiceFailure(.unavailable, "cancelled", cause: error) }
                if let error = error as? ObjectStoreError {
                    throw ServiceFailure(error.code, error.action, cause: error.cause)
                }
                throw ServiceFailure(.invalid, "the content could not be produced", cause: error)
            }
        }
    }

    private mutating func advance(_ count: Int, of total: Int) {
        offset += count
        isAtEnd = offset >= total
    }
}

/// Gathers the pieces of a sequence, of any size, into runs of a given size. Used by one task at a time.
private final class StreamReader {
    private var iterator: any AsyncIteratorProtocol<[UInt8], any Error>
    /// A piece of which `usedCount` bytes are taken.
    private var piece: [UInt8] = []
    private var usedCount = 0
    private var isFinished = false

    init(_ pieces: any AsyncSequence<[UInt8], any Error> & Sendable) {
        func begin<Pieces: AsyncSequence>(
            _ pieces: Pieces
        ) -> any AsyncIteratorProtocol<[UInt8], any Error>
        where Pieces.Element == [UInt8], Pieces.Failure == any Error { pieces.makeAsyncIterator() }
        iterator = begin(pieces)
    }

    /// `count` bytes, or what is left.
    func read(_ count: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, try await fill() {
            let taken = min(count - bytes.count, piece.count - usedCount)
            if bytes.isEmpty, usedCount == 0, taken == piece.count {
                swap(&bytes, &piece)  // as it is, without a copy, where it is all or the beginning
                if bytes.count < count { bytes.reserveCapacity(count) }
            } else {
                if bytes.isEmpty { bytes.reserveCapacity(count) }
                bytes.append(contentsOf: piece[usedCount..<usedCount + taken])
                usedCount += taken
            }
            if usedCount >= piece.count {
                piece = []
                usedCount = 0
            }
        }
        return bytes
    }

    func isAtEnd() async throws -> Bool { try await !fill() }

    /// Makes sure that there is something in `piece`. False at the end.
    private func fill() async throws -> Bool {
        while usedCount >= piece.count {
            guard !isFinished, let next = try await iterator.next(isolation: #isolation) else {
                isFinished = true
                return false
            }
            (piece, usedCount) = (next, 0)
        }
        return true
    }
}
