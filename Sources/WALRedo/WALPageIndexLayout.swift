/// Numbers of the file that `WALPageIndex` is; `docs/wal-page-index.md` describes it.
enum WALPageIndexLayout {
    static let magic: UInt64 = 0x5844_494C_4157_4E5A  // "ZNWALIDX"
    static let version: UInt16 = 1
    static let headerSize = 72
    static let forkSize = 24
    static let groupSize = 8
    static let crcSize = 4
    /// Pages that are found together.
    static let pagesPerGroup = 64

    enum Header {
        static let version = 8
        static let major = 10
        static let timeline = 12
        static let start = 16
        static let segmentSize = 24
        static let newestXid = 28
        static let end = 32
        static let forks = 40
        static let groups = 44
        static let pages = 48
        static let pageBytes = 52
        static let changes = 56
        static let changeBytes = 60
        static let effects = 64
        static let effectBytes = 68
    }

    enum ChangeKind {
        static let created: UInt8 = 1
        static let truncated: UInt8 = 2
        static let dropped: UInt8 = 3
        static let databaseCreated: UInt8 = 4
        static let databaseCopied: UInt8 = 5
        static let databaseDropped: UInt8 = 6
    }
}
