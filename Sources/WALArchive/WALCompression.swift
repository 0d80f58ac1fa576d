/// How new files of an archive are compressed.
public enum WALCompression: Sendable, Hashable {
    /// With zstd's level.
    case zstd(level: Int)
    case lz4

    public var codec: WALCodec {
        switch self {
        case .zstd: .zstd
        case .lz4: .lz4
        }
    }
}

/// How a file of an archive is packed. Its extension tells.
public enum WALCodec: Sendable, Hashable, CaseIterable {
    case zstd, lz4
    /// As it is, under its bare name.
    case plain

    /// Behind the name, with its dot.
    public var suffix: String {
        switch self {
        case .zstd: ".zst"
        case .lz4: ".lz4"
        case .plain: ""
        }
    }

    /// What WAL-G can write, and older archives have, and this program does not read.
    static let unreadable = [".br", ".lzma", ".lzo", ".gz"]
}
