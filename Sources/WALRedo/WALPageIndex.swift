public import PostgresFormat

/// Which pages the records of one WAL segment touch, and where, with the records that change more than pages.
///
/// A record belongs to the segment that it begins in. The bytes are those of the file: what is asked for is found in
/// them. `docs/wal-page-index.md` describes them.
public struct WALPageIndex: Sendable {
    /// The file's content.
    public let bytes: [UInt8]
    public let segment: WALSegment
    /// PostgreSQL's version, 14 to 18.
    public let major: Int
    /// Records that begin before it are here: the segment's end, or where WAL ended.
    public let end: LSN
    /// The newest transaction that a record of the segment names; 0 where none does.
    public let newestXid: UInt32
    /// Of all forks.
    public let pageCount: Int
    /// What became of files, in the order of the WAL.
    public let fileChanges: [FileChange]
    let forks: [ForkEntry]
    let sections: Sections

    /// How a record is about a page.
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// It carries an image that takes the page's place.
        public static let image = Flags(rawValue: 1)
        /// It makes the page anew.
        public static let initializes = Flags(rawValue: 2)
        /// The page is one of a visibility map that the record has no reference to: see `VisibilityChange`.
        public static let clearsMap = Flags(rawValue: 4)

        /// What the page was before does not matter.
        public var isBase: Bool { !isDisjoint(with: [.image, .initializes]) }
        static let all = Flags(rawValue: 7)
    }

    /// A record that is about a page.
    public struct Position: Hashable, Sendable {
        /// Where it begins.
        public let lsn: LSN
        public let flags: Flags

        public init(lsn: LSN, flags: Flags) {
            self.lsn = lsn
            self.flags = flags
        }
    }

    /// A record that changes files: no page of theirs goes back over it as it was.
    public struct FileChange: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            case created(RelationFork)
            case truncated(RelationLocator, blocks: UInt32, forks: TruncatedForks)
            case dropped(RelationLocator)
            case databaseCreated(DatabaseDirectory)
            case databaseCopied(DatabaseDirectory, from: DatabaseDirectory)
            case databaseDropped(DatabaseDirectory)
        }
        /// Where the record begins.
        public let lsn: LSN
        public let kind: Kind
    }

    struct ForkEntry: Sendable {
        let fork: RelationFork
        let firstGroup: Int
        let pageCount: Int
    }

    /// Where the parts of the file begin; each ends where the next one begins.
    struct Sections: Sendable {
        let groups: Int
        let pages: Int
        let changes: Int
        let effects: Int
        let effectCount: Int
        let crc: Int
    }

    /// Forks that have pages here, sorted.
    public var touchedForks: [RelationFork] { forks.map(\.fork) }
}

/// A record's place and flags in four bytes: a multiple of 8 within a segment of at most 1 GiB leaves room for both.
struct PackedPosition {
    let rawValue: UInt32

    @inline(__always) init(rawValue: UInt32) { self.rawValue = rawValue }
    @inline(__always) init(unit: UInt32, flags: UInt8) { rawValue = unit << 3 | UInt32(flags) }

    /// From the segment's beginning, in units of 8 bytes.
    @inline(__always) var unit: UInt32 { rawValue >> 3 }
    @inline(__always) var flags: WALPageIndex.Flags { WALPageIndex.Flags(rawValue: UInt8(rawValue & 7)) }
}
