/// The kinds of storage that a location can name.
public enum StorageScheme: String, Sendable, CaseIterable {
    case s3, gs, azure, swift, oss, ssh, file
}

/// Where a storage is: the parsed and normalized form of `s3://bucket/prefix`, `file:///path`, ….
public struct StorageLocation: Hashable, Sendable {
    public let scheme: StorageScheme
    /// The bucket, container or host; empty for `file`.
    public let container: String
    /// The prefix below it, without slashes at either end; for `file` and `ssh` an absolute path.
    public let path: String

    public init(scheme: StorageScheme, container: String, path: String) {
        self.scheme = scheme
        self.container = container
        self.path = path
    }
}

extension StorageLocation: CustomStringConvertible {
    public var description: String { "\(scheme.rawValue)://\(container)\(scheme == .file ? "" : "/")\(path)" }
}
