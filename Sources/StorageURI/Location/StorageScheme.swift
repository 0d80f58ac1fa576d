/// The kinds of storage that a location can name.
public enum StorageScheme: String, Sendable, CaseIterable {
    case s3, gs, azure, swift, oss, ssh, file

    /// The scheme of a URI: its canonical name or an alias, in any case.
    init?(name: String) {
        let name = name.lowercased()
        guard let scheme = Self.allCases.first(where: { $0.names.contains(name) }) else { return nil }
        self = scheme
    }

    /// The canonical name, and the aliases that are read as well.
    var names: [String] {
        switch self {
        case .azure: ["azure", "az"]
        case .ssh: ["ssh", "sftp"]
        default: [rawValue]
        }
    }

    /// All names, for messages: `s3, gs, azure (az), …`.
    static let listing = allCases.map { scheme in
        scheme.names.count == 1 ? scheme.names[0] : "\(scheme.names[0]) (\(scheme.names[1]))"
    }.joined(separator: ", ")

    /// The variable whose name stands for a location of this scheme.
    public var locationVariable: String {
        switch self {
        case .s3: "S3_PREFIX"
        case .gs: "GS_PREFIX"
        case .azure: "AZ_PREFIX"
        case .swift: "SWIFT_PREFIX"
        case .oss: "OSS_PREFIX"
        case .ssh: "SSH_PREFIX"
        case .file: "FILE_PREFIX"
        }
    }

    /// The variable to use for what somebody may be tempted to write into the URI; nil for `file`, which has none.
    var secretVariable: String? {
        switch self {
        case .s3: "AWS_SECRET_ACCESS_KEY"
        case .gs: "GOOGLE_APPLICATION_CREDENTIALS"
        case .azure: "AZURE_STORAGE_ACCESS_KEY"
        case .swift: "OS_PASSWORD"
        case .oss: "OSS_ACCESS_KEY_SECRET"
        case .ssh: "SSH_PASSWORD or SSH_PRIVATE_KEY_PATH"
        case .file: nil
        }
    }

    /// What the part after `://` is.
    public var containerWord: String {
        switch self {
        case .s3, .gs, .oss: "bucket"
        case .azure, .swift: "container"
        case .ssh, .file: "host"
        }
    }

    /// How a location of this scheme is written, for messages.
    var form: String {
        switch self {
        case .ssh: "ssh://[user@]host[:port]/path"
        case .file: "file:///path"
        default: "\(rawValue)://\(containerWord)/prefix"
        }
    }
}
