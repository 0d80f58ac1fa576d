/// Where the page indexes of WAL segments lie: beside the folder of the segments, never in it, each under the name of its
/// segment.
public enum WALIndexNames {
    /// Of an archive in WAL-G's layout, and what goes with it.
    private static let (archive, archiveIndexes) = ("wal_005", "wal_index_001")

    /// What the keys of an archive's indexes begin with; nil where there is no place for any.
    ///
    /// - Parameter prefix: What the keys of its WAL begin with: `wal_005/`, or `timelines/<timeline>/wal_005/`.
    public static func prefix(besideWAL prefix: String) -> String? {
        var parts = prefix.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 2, parts.last == "", parts[parts.count - 2] == archive else { return nil }
        parts[parts.count - 2] = Substring(archiveIndexes)
        return parts.joined(separator: "/")
    }

    /// The folder beside a folder of segments; nil where nothing is to be added: `pg_wal` lies in a data directory, and a
    /// storage's own root has nothing beside it.
    public static func path(besideWAL path: String) -> String? {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let folder = parts.popLast(), !folder.isEmpty, folder != "pg_wal" else { return nil }
        return (parts + [folder == archive ? Substring(archiveIndexes) : folder + "_index"]).joined(separator: "/")
    }
}
