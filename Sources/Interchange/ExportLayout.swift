import PostgresFormat
public import Snapshots

/// The paths and modes that a snapshot's content has in an exported data directory.
public struct ExportLayout: Sendable {
    let manifest: Manifest
    let tablespaceVersionDirectory: String
    /// Of files and directories that the manifest does not name: relations'.
    let fileMode: UInt16
    let directoryMode: UInt16

    public init(_ manifest: Manifest) {
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

    /// Configuration files that a server cannot start without and that the snapshot lacks: Debian's clusters keep theirs
    /// in `/etc/postgresql`, outside of the data directory.
    public var generatedFiles: [(path: String, text: String)] {
        let about = "# Written by an export: the imported data directory had no file of this name.\n"
        let rules = """
            local all all peer
            host all all 127.0.0.1/32 scram-sha-256
            host all all ::1/128 scram-sha-256

            """
        return [("postgresql.conf", about), ("pg_hba.conf", about + rules), ("pg_ident.conf", about)].filter { file in
            !manifest.files.contains { $0.path == file.path }
        }
    }

    /// What decides that a directory is a cluster; written last.
    static let decisive = ["PG_VERSION", "global/pg_control"]
}
