/// What a storage is used for. Its raw value is the prefix of the variables that count for it alone.
public enum StorageRole: String, Sendable, CaseIterable {
    /// `snapshot_path`: what one import reads, or one export writes.
    case snapshot = "SNAPSHOT_"
    /// `storage_dest`: where snapshots are kept.
    case storage = "STORAGE_"
    /// Where the safekeeper offloads WAL to.
    case wal = "WAL_"

    /// The variable that lets a role with its own endpoint or role ARN use the unprefixed and ambient credentials.
    public var credentialsVariable: String { "\(rawValue)CREDENTIALS" }
}
