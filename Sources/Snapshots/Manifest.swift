public import PostgresFormat

/// What a snapshot holds and where each page of it lies. `docs/snapshot-format.md` gives its bytes.
public struct Manifest: Sendable, Equatable {
    public var identity: SnapshotIdentity
    public var packs: [PackInfo] = []
    public var tablespaces: [Tablespace] = []
    /// Every fork that exists at the end LSN, in key order, also where this snapshot holds none of its pages.
    public var forks: [ForkEntry] = []
    /// The frames of all forks, in the order of `forks` and of blocks.
    public var frames: [FrameEntry] = []
    /// The block runs of all frames, in the same order.
    public var runs: [BlockRun] = []
    /// What is not pages, in byte order of paths.
    public var files: [FileEntry] = []
    /// The frames of all files, in the order of `files`.
    public var fileFrames: [FileFrame] = []
    /// Pages that failed their checksum when they were read, and were taken all the same.
    public var corruptPages: [PageKey] = []

    public init(identity: SnapshotIdentity) { self.identity = identity }

    /// Blocks of a whole frame in a complete snapshot.
    public static let frameBlocks = Format.frameBlocks

    public var name: SnapshotName {
        SnapshotName(
            timeline: identity.timeline, startLSN: identity.startLSN, endLSN: identity.endLSN,
            created: identity.created)
    }

    /// Pages held in this snapshot.
    public var pageCount: Int { runs.reduce(0) { $0 + Int($1.count) } }
    /// What the files of an export take, all zero tails included.
    public var logicalBytes: Int {
        forks.reduce(0) { $0 + Int($1.blockCount) * Page.size } + files.reduce(0) { $0 + $1.sizeBytes }
    }
    /// What the packs take.
    public var storedBytes: Int { packs.reduce(0) { $0 + $1.sizeBytes } }
}

/// Whose snapshot it is, and of what moment.
public struct SnapshotIdentity: Sendable, Equatable {
    public var timeline: TimelineUUID
    /// 0 for a complete snapshot, else the end of `predecessor`, whose pages this one builds on.
    public var startLSN: LSN
    public var endLSN: LSN
    /// Whole seconds, as in the name.
    public var created: UTCTime
    /// The name of the timeline's snapshot before this one; empty for the first.
    public var predecessor: String
    public var label: String
    public var systemIdentifier: UInt64
    public var postgresMajor: Int
    public var catalogVersion: UInt32
    public var controlVersion: UInt32
    /// PostgreSQL's own timeline number at the end LSN.
    public var tli: UInt32
    public var walSegmentBytes: Int
    /// Blocks in a whole segment file of a relation.
    public var segmentBlocks: Int
    public var dataChecksums: Bool
    /// Program and version, for people.
    public var writer: String

    public init(
        timeline: TimelineUUID, startLSN: LSN, endLSN: LSN, created: UTCTime, predecessor: String = "",
        label: String = "", systemIdentifier: UInt64, postgresMajor: Int, catalogVersion: UInt32,
        controlVersion: UInt32, tli: UInt32, walSegmentBytes: Int, segmentBlocks: Int, dataChecksums: Bool,
        writer: String
    ) {
        self.timeline = timeline
        self.startLSN = startLSN
        self.endLSN = endLSN
        self.created = created.wholeSeconds
        self.predecessor = predecessor
        self.label = label
        self.systemIdentifier = systemIdentifier
        self.postgresMajor = postgresMajor
        self.catalogVersion = catalogVersion
        self.controlVersion = controlVersion
        self.tli = tli
        self.walSegmentBytes = walSegmentBytes
        self.segmentBlocks = segmentBlocks
        self.dataChecksums = dataChecksums
        self.writer = writer
    }
}

/// One object of packed frames.
public struct PackInfo: Sendable, Equatable {
    /// `pack-<number>-<first 16 digits of the SHA-256>`: the same name is the same content, so that a push that
    /// was cut short goes on where it stopped.
    public let name: String
    public let sizeBytes: Int
    /// 32 bytes, of the whole object.
    public let sha256: [UInt8]

    public init(name: String, sizeBytes: Int, sha256: [UInt8]) {
        self.name = name
        self.sizeBytes = sizeBytes
        self.sha256 = sha256
    }
}

/// Where a frame lies, and what its stored bytes must be.
public struct FrameLocation: Sendable, Equatable {
    public var pack: Int
    public var offset: Int
    public var storedBytes: Int
    /// CRC-32C of the stored bytes.
    public var crc32c: UInt32

    public init(pack: Int, offset: Int, storedBytes: Int, crc32c: UInt32) {
        self.pack = pack
        self.offset = offset
        self.storedBytes = storedBytes
        self.crc32c = crc32c
    }
}

/// Consecutive blocks of a fork.
public struct BlockRun: Sendable, Equatable {
    public var start: UInt32
    public var count: UInt32

    public init(start: UInt32, count: UInt32) {
        self.start = start
        self.count = count
    }

    public var end: Int { Int(start) + Int(count) }
}

/// Some blocks of one fork, compressed together: one run in a complete snapshot, any number in an incremental one.
public struct FrameEntry: Sendable, Equatable {
    public var location: FrameLocation
    /// Indexes into `Manifest.runs`.
    public var firstRun: Int
    public var runCount: Int

    public init(location: FrameLocation, firstRun: Int, runCount: Int) {
        self.location = location
        self.firstRun = firstRun
        self.runCount = runCount
    }
}

/// One fork of one relation.
public struct ForkEntry: Sendable, Equatable {
    public var key: RelationFork
    /// Its length at the end LSN.
    public var blockCount: UInt32
    /// Indexes into `Manifest.frames`.
    public var firstFrame: Int
    public var frameCount: Int

    public init(key: RelationFork, blockCount: UInt32, firstFrame: Int, frameCount: Int) {
        self.key = key
        self.blockCount = blockCount
        self.firstFrame = firstFrame
        self.frameCount = frameCount
    }
}

public struct Tablespace: Sendable, Equatable {
    public var oid: UInt32
    /// The directory it had where it came from; empty for one inside the data directory, or when unknown.
    public var location: String

    public init(oid: UInt32, location: String) {
        self.oid = oid
        self.location = location
    }
}

/// A file that is not a relation's, or a directory.
public struct FileEntry: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        case file = 0
        case directory = 1
    }
    /// Relative to the data directory, with `/`.
    public var path: String
    public var kind: Kind
    /// Permission bits, as chmod takes them.
    public var mode: UInt16
    /// What the frames do not cover of it, at its end, is zero.
    public var sizeBytes: Int
    /// Indexes into `Manifest.fileFrames`.
    public var firstFrame: Int
    public var frameCount: Int

    public init(path: String, kind: Kind, mode: UInt16, sizeBytes: Int, firstFrame: Int, frameCount: Int) {
        self.path = path
        self.kind = kind
        self.mode = mode
        self.sizeBytes = sizeBytes
        self.firstFrame = firstFrame
        self.frameCount = frameCount
    }
}

/// The next `contentBytes` bytes of a file.
public struct FileFrame: Sendable, Equatable {
    public var location: FrameLocation
    public var contentBytes: Int

    public init(location: FrameLocation, contentBytes: Int) {
        self.location = location
        self.contentBytes = contentBytes
    }
}

extension Manifest {
    /// The fork's entry, found by binary search.
    public func fork(_ key: RelationFork) -> ForkEntry? {
        var (low, high) = (0, forks.count)
        while low < high {
            let middle = (low + high) / 2
            if forks[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low < forks.count && forks[low].key == key ? forks[low] : nil
    }

    /// The frame that holds a block, and how many of its pages come before that block's.
    public func frame(of block: UInt32, in fork: ForkEntry) -> (frame: FrameEntry, pageIndex: Int)? {
        var (low, high) = (fork.firstFrame, fork.firstFrame + fork.frameCount)
        while low < high {  // the last frame that starts at or before the block
            let middle = (low + high) / 2
            if runs[frames[middle].firstRun].start <= block { low = middle + 1 } else { high = middle }
        }
        guard low > fork.firstFrame else { return nil }
        let frame = frames[low - 1]
        var before = 0
        for run in runs[frame.firstRun..<frame.firstRun + frame.runCount] {
            if run.start <= block && Int(block) < run.end { return (frame, before + Int(block - run.start)) }
            before += Int(run.count)
        }
        return nil
    }

    /// How many pages a frame holds.
    public func pageCount(of frame: FrameEntry) -> Int {
        runs[frame.firstRun..<frame.firstRun + frame.runCount].reduce(0) { $0 + Int($1.count) }
    }
}
