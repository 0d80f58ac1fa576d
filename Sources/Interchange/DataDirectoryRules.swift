/// What of a data directory a snapshot carries. The list is that of PostgreSQL's own base backup
/// (`src/backend/backup/basebackup.c`, `excludeDirContents`, `excludeFiles`), and what a snapshot cannot mean:
/// logs, replication slots, and the WAL, of which the import takes what a start needs.
enum DataDirectoryRules {
    /// Directories that an export has, and needs, though a storage of objects cannot show them when empty.
    static func standardDirectories(major: Int) -> [String] {
        var directories = [
            "base", "global", "pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_logical/mappings",
            "pg_logical/snapshots", "pg_multixact", "pg_multixact/members", "pg_multixact/offsets", "pg_notify",
            "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp", "pg_subtrans", "pg_tblspc",
            "pg_twophase", "pg_wal", "pg_wal/archive_status", "pg_xact",
        ]
        if major >= 17 { directories.append("pg_wal/summaries") }
        return directories
    }

    private static let emptied: Set<String> = [
        "pg_dynshmem", "pg_logical/mappings", "pg_logical/snapshots", "pg_notify", "pg_replslot", "pg_serial",
        "pg_snapshots", "pg_stat_tmp", "pg_subtrans", "pg_wal/archive_status", "pg_wal/summaries", "log", "pg_log",
    ]

    private static let rootFiles: Set<String> = [
        "postmaster.opts", "postgresql.auto.conf.tmp", "current_logfiles", "current_logfiles.tmp", "backup_manifest",
        "backup_label.old", "tablespace_map.old", "tablespace_map", "recovery.signal", "standby.signal",
        "recovery.done", "lost+found",
    ]

    /// True for a directory of which only the directory itself is carried.
    static func leavesOutContents(_ path: String) -> Bool { emptied.contains(path) }

    /// True for a file or directory that is not carried at all.
    static func leavesOut(_ path: String) -> Bool {
        if rootFiles.contains(path) { return true }
        let name = split(path).name
        if name.hasPrefix("pgsql_tmp") || name.hasPrefix("pg_internal.init") { return true }
        return path.utf8.indices.contains {
            path.utf8[$0] == UInt8(ascii: "/") && leavesOutContents(String(path[..<$0]))
        }
    }
}

/// A path's directory ("" at the top) and its last part.
func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
    return (String(path[..<slash]), String(path[path.utf8.index(after: slash)...]))
}
