import CommandKit
import Glibc
import ObjectStorage
import Snapshots
import StorageURI
import WALArchive
import WALIndexes

/// Where WAL is to be read: files of one directory, or of one prefix in a storage.
struct WALPlace {
    let archive: WALArchiveReader
    /// The one file that was named.
    let only: WALFileName?
    /// Where page indexes of its segments lie, if any do; nil: there is no place for any.
    let indexes: (location: StorageLocation, prefix: String)?

    private init(_ store: ReadOnlyStore, prefix: String, only: WALFileName? = nil) {
        archive = WALArchiveReader(store, prefix: prefix)
        self.only = only
        indexes = only == nil ? Self.indexes(store.location, prefix) : nil
    }

    private static func indexes(
        _ location: StorageLocation, _ prefix: String
    ) -> (location: StorageLocation, prefix: String)? {
        if !prefix.isEmpty { return WALIndexNames.prefix(besideWAL: prefix).map { (location, $0) } }
        // Beside a folder on a service there may be anything.
        guard location.scheme == .file || "/\(location.path)".hasSuffix("/wal_005"),
            let path = WALIndexNames.path(besideWAL: location.path)
        else { return nil }
        let beside = StorageLocation(
            scheme: location.scheme, container: location.container, path: path, user: location.user,
            port: location.port)
        return (beside, "")
    }

    static func open(_ path: String, timeline: String) async throws -> WALPlace {
        if let (folder, name) = try file(path) {
            let store = try Storages.openReadOnly(folder, role: .wal)
            return WALPlace(store, prefix: "", only: name)
        }
        let store = try Storages.openReadOnly(path, role: .wal)
        do {
            let repository = try await Repository.open(store)
            let prefix = "timelines/\(try await repository.timeline(timeline))/wal_005/"
            return WALPlace(store, prefix: prefix)
        } catch RepositoryError.absent {}
        // A cluster's directory, and WAL-G's layout; else what was named is the folder itself.
        for prefix in ["pg_wal/", "wal_005/"] where !(try await store.isEmpty(prefix: prefix)) {
            return WALPlace(store, prefix: prefix)
        }
        return WALPlace(store, prefix: "")
    }

    /// The folder and the name where `path` is one file: its name tells, or that it is one on this machine.
    private static func file(_ path: String) throws -> (folder: String, name: WALFileName)? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let last = parts.last, !last.isEmpty else { return nil }
        let bare =
            WALCodec.allCases.map(\.suffix).first { !$0.isEmpty && last.hasSuffix($0) }
            .map { last.dropLast($0.count) } ?? last
        guard let name = WALFileName(bare), name.kind != .history else {
            var status = stat()
            if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
                throw CommandFailure(.usage, "\(last) is not the name of a WAL segment, and \(path) no directory")
            }
            return nil
        }
        let folder = parts.dropLast().joined(separator: "/")
        return (parts.count == 1 ? "." : folder.isEmpty ? "/" : folder, name)
    }
}
