import Digests
import ObjectStorage
import SystemPackage

/// The bytes of one pack, piece after piece: from the local directory where the pack is whole and sound, else from
/// storage. The last piece is given only when all of them match the pack's digest.
actor PackPieces {
    private static let pieceBytes = 8 << 20
    private let pack: PackInfo
    private let snapshot: SnapshotReader
    private var sha256: Hasher? = Hasher(.sha256)
    private var offset = 0
    private var isLocal: Bool?

    init(_ pack: PackInfo, _ snapshot: SnapshotReader) {
        self.pack = pack
        self.snapshot = snapshot
    }

    func next() async throws -> [UInt8]? {
        guard offset < pack.sizeBytes else { return nil }
        if isLocal == nil { isLocal = try await isSoundLocally() }
        let bytes = try await read(offset..<min(offset + Self.pieceBytes, pack.sizeBytes))
        sha256!.update(bytes)
        offset += bytes.count
        if offset == pack.sizeBytes, sha256.take()!.finish() != pack.sha256 {
            throw RepositoryError.damaged(
                "\(pack.name) of snapshot \(snapshot.manifest.name) does not match its digest")
        }
        return bytes
    }

    private func isSoundLocally() async throws -> Bool {
        guard let path = snapshot.local?.appending(pack.name) else { return false }
        let pack = pack
        return try await BlockingWork.run { _ in (try? checkPack(path, pack)) != nil }
    }

    private func read(_ range: Range<Int>) async throws -> [UInt8] {
        if isLocal == true, let path = snapshot.local?.appending(pack.name) {
            return try await BlockingWork.run { _ in
                let descriptor = try FileDescriptor.open(path, .readOnly)
                return try descriptor.closeAfter {
                    try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
                        count = try descriptor.read(
                            fromAbsoluteOffset: Int64(range.lowerBound), into: UnsafeMutableRawBufferPointer(buffer))
                    }
                }
            }
        }
        guard let repository = snapshot.repository else {
            throw RepositoryError.damaged("\(pack.name) is missing or damaged, and the snapshot is not in storage yet")
        }
        let key = Repository.key(snapshot.manifest.name, pack.name)
        let bytes: [UInt8]
        do { bytes = try await repository.store.get(key, range: range) } catch {
            guard error.code == .notFound else { throw error }
            throw RepositoryError.damaged("\(repository.location): \(key) is missing, though its manifest is there")
        }
        guard bytes.count == range.count else {
            throw RepositoryError.damaged("\(repository.location): \(key) is cut short")
        }
        return bytes
    }
}
