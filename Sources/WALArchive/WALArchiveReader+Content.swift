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
        guard let object = try await objects(named: name).min(by: { $0.preference < $1.preference }) else { return nil }
        let content = Gathered()
        _ = try await read(object) { bytes throws(WALArchiveError) in content.bytes.withLock { $0 += bytes } }
        return content.bytes.withLock { $0 }
    }
}

private final class Gathered: Sendable {
    let bytes = Mutex<[UInt8]>([])
}
