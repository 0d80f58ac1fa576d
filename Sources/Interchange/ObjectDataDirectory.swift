public import ObjectStorage
import StorageURI

/// A data directory kept as objects, each file under its own path: what `aws s3 sync` or an export to a storage
/// leaves. Empty directories, modes and links are not there; the locations of tablespaces come from the object
/// `tablespace_map`, when an export has written it.
public struct ObjectDataDirectory: DataDirectorySource {
    private let store: any ReadableStore
    public var name: String { store.location.description }

    public init(store: any ReadableStore) { self.store = store }

    public func entries() async throws -> [SourceEntry] {
        var found: [SourceEntry] = []
        var directories: Set<String> = []
        for try await object in store.listAll(prefix: "") {
            let path = object.key.text
            // Some tools keep a directory as an empty object with a slash at its end.
            guard !path.hasSuffix("/"), !DataDirectoryRules.leavesOut(path) else { continue }
            found.append(SourceEntry(path: path, isDirectory: false, mode: 0o600, sizeBytes: object.sizeBytes))
            var parent = split(path).directory
            while !parent.isEmpty, directories.insert(parent).inserted { parent = split(parent).directory }
        }
        for directory in directories {
            found.append(SourceEntry(path: directory, isDirectory: true, mode: 0o700, sizeBytes: 0))
        }
        return found
    }

    public func tablespaces() async throws -> [UInt32: String] {
        var result: [UInt32: String] = [:]
        for try await object in store.listAll(prefix: "pg_tblspc/") {
            let parts = object.key.text.split(separator: "/")
            if parts.count > 1, let oid = UInt32(parts[1]) { result[oid] = "" }
        }
        guard !result.isEmpty else { return [:] }
        let map: [UInt8]
        do { map = try await store.get("tablespace_map", range: nil) } catch {
            guard error.code == .notFound else { throw error }
            return result
        }
        for line in String(decoding: map, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.count == 2, let oid = UInt32(parts[0]), result[oid] != nil { result[oid] = String(parts[1]) }
        }
        return result
    }

    public func exists(_ path: String) async throws -> Bool { try await store.exists(ObjectKey(path)) }

    public func open(_ path: String) async throws -> any SourceFile {
        ObjectFile(store: store, key: ObjectKey(path))
    }
}

private struct ObjectFile: SourceFile {
    let store: any ReadableStore
    let key: ObjectKey

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) async throws {
        guard !buffer.isEmpty else { return }
        let bytes = try await store.get(key, range: offset..<offset + buffer.count)
        guard bytes.count == buffer.count else {
            throw InterchangeError.corrupt("\(store.location): \(key) ended at byte \(offset + bytes.count)")
        }
        buffer.copyBytes(from: bytes)
    }
}
