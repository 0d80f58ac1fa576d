import ObjectStorage
import PostgresFormat
import Synchronization

extension WALArchiveReader {
    /// Unpacks an object and hands its content on as it is, in order and on a thread for blocking work: unlike `read`,
    /// also of a file that a server has made ready for later, whose content is not yet what its name promises.
    func unpack(
        _ object: WALObject, _ consume: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        let decompressor = Decompressor(try codec(of: object))
        do {
            try await store.stream(object.key, pieceBytes: Self.pieceBytes) { piece in
                try await BlockingWork.run { _ in try Self.expand(piece, decompressor, consume) }
            }
            try decompressor.finish()
        } catch WALArchiveError.damaged(let reason) {
            throw WALArchiveError.damaged("\(store.location): \(object.key) is damaged: \(reason)")
        }
    }

    /// Hands a file's content on, in order and on a thread for blocking work, until `consume` returns false. Nothing but its
    /// packing is checked.
    ///
    /// - Parameter takesUnfinished: Where a segment is missing, its beginning will do, if there is one.
    /// - Returns: False where there is no such file.
    public func read(
        _ name: WALFileName, takesUnfinished: Bool = false,
        _ consume: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Bool
    ) async throws -> Bool {
        let found = try await takesUnfinished ? object(name) : whole(name)
        guard let object = found else { return false }
        struct Enough: Error {}
        do { try await unpack(object) { if try !consume($0) { throw Enough() } } } catch is Enough {}
        return true
    }

    private static func expand(
        _ piece: [UInt8], _ decompressor: Decompressor, _ consume: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var fault: (any Error)?
        try decompressor.expand(piece) { bytes throws(WALArchiveError) in
            guard fault == nil else { return }
            do { try consume(bytes) } catch { fault = error }
        }
        if let fault { throw fault }
    }

    /// The first page of an object; less where it has no more.
    func firstPage(of object: WALObject) async throws -> [UInt8] {
        let codec = try codec(of: object)
        // A compressed block of the largest size that lz4 has.
        let neededBytes = codec == .plain ? Page.size : 5 << 20
        let piece = try await store.get(object.key, range: 0..<neededBytes)
        return try await BlockingWork.run { _ in
            var page: [UInt8] = []
            try Decompressor(codec).expand(piece) { bytes throws(WALArchiveError) in
                page += bytes.prefix(Page.size - page.count)
            }
            return page
        }
    }

    /// A small file's whole content; nil where there is no such file.
    func content(of name: WALFileName) async throws -> [UInt8]? {
        guard let object = try await whole(name) else { return nil }
        let content = Gathered()
        _ = try await read(object) { bytes throws(WALArchiveError) in content.bytes.withLock { $0 += bytes } }
        return content.bytes.withLock { $0 }
    }
}

private final class Gathered: Sendable {
    let bytes = Mutex<[UInt8]>([])
}
