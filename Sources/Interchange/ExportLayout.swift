import PostgresFormat
import Snapshots

/// The paths and modes that a snapshot's content has in an exported data directory.
struct ExportLayout: Sendable {
    let manifest: Manifest
    let tablespaceVersionDirectory: String
    /// Of files and directories that the manifest does not name: relations'.
    let fileMode: UInt16
    let directoryMode: UInt16

    init(_ manifest: Manifest) {
        self.manifest = manifest
        tablespaceVersionDirectory = PostgresFormat.tablespaceVersionDirectory(
            major: manifest.identity.postgresMajor, catalogVersion: manifest.identity.catalogVersion)
        // initdb --allow-group-access: the mode of the directories tells.
        let base = manifest.files.first { $0.path == "base" }?.mode ?? 0o700
        directoryMode = base & 0o050 == 0 ? 0o700 : 0o750
        fileMode = base & 0o050 == 0 ? 0o600 : 0o640
    }

    func path(of fork: RelationFork, segment: Int) -> String {
        fork.path(segment: segment, tablespaceVersionDirectory: tablespaceVersionDirectory)
    }

    /// How many segment files a fork has. An empty fork has one, of no bytes.
    func segmentCount(_ fork: ForkEntry) -> Int {
        max(1, (Int(fork.blockCount) + manifest.identity.segmentBlocks - 1) / manifest.identity.segmentBlocks)
    }

    /// What decides that a directory is a cluster; written last.
    static let decisive = ["PG_VERSION", "global/pg_control"]
}
