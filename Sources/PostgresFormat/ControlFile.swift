import CChecksum

/// `global/pg_control`: what a cluster is, and where its last checkpoint lies.
///
/// Fields can be changed; `serialized()` gives the file with them and a new CRC. What has no field here (padding, and
/// the zeros up to the file's end) is carried over byte by byte.
///
/// Source: PostgreSQL's `src/include/catalog/pg_control.h`, `ControlFileData`.
public struct ControlFile: Hashable, Sendable {
    /// Bytes of the file in every version: `PG_CONTROL_FILE_SIZE`.
    public static let fileSize = 8192

    /// The state of the cluster, printed as `pg_controldata` prints it.
    public enum State: UInt32, Sendable, Hashable, CaseIterable, CustomStringConvertible {
        case startingUp, shutDown, shutDownInRecovery, shuttingDown, inCrashRecovery, inArchiveRecovery, inProduction

        public var description: String {
            switch self {
            case .startingUp: "starting up"
            case .shutDown: "shut down"
            case .shutDownInRecovery: "shut down in recovery"
            case .shuttingDown: "shutting down"
            case .inCrashRecovery: "in crash recovery"
            case .inArchiveRecovery: "in archive recovery"
            case .inProduction: "in production"
            }
        }
    }

    /// `wal_level`, printed as in the configuration.
    public enum WALLevel: UInt32, Sendable, Hashable, CaseIterable, CustomStringConvertible {
        case minimal, replica, logical

        public var description: String {
            switch self {
            case .minimal: "minimal"
            case .replica: "replica"
            case .logical: "logical"
            }
        }
    }

    /// The major version of PostgreSQL, told by the versions of this file and of the catalogs.
    public let majorVersion: Int
    /// The file as it was parsed.
    private let original: [UInt8]

    /// Made by `initdb`, the same in all copies of a cluster and in its WAL.
    public var systemIdentifier: UInt64 = 0
    /// The version of this file's format: 1300, 1700 or 1800.
    public private(set) var controlVersion: UInt32 = 0
    public private(set) var catalogVersion: UInt32 = 0
    public var state = State.startingUp
    /// Seconds since 1970.
    public var modificationTime: Int64 = 0
    /// Where the last checkpoint's record begins.
    public var checkpoint = LSN.invalid
    /// What that record says.
    public var checkpointCopy = CheckpointCopy()
    /// A counter that stands for LSNs in unlogged relations.
    public var unloggedLSN = LSN.invalid

    /// Recovery must come this far before the cluster is consistent; invalid outside of archive recovery.
    public var minRecoveryPoint = LSN.invalid
    public var minRecoveryPointTimeLineID: TimelineID = 0
    public var backupStartPoint = LSN.invalid
    public var backupEndPoint = LSN.invalid
    public var backupEndRequired = false

    public var walLevel = WALLevel.minimal
    public var walLogHints = false
    public var maxConnections: Int32 = 0
    public var maxWorkerProcesses: Int32 = 0
    public var maxWALSenders: Int32 = 0
    public var maxPreparedTransactions: Int32 = 0
    public var maxLocksPerTransaction: Int32 = 0
    public var trackCommitTimestamp = false

    public private(set) var maxAlign: UInt32 = 0
    /// 1234567.0, where floating point is as it should be.
    public private(set) var floatFormat: Double = 0
    /// Bytes of a page: 8192 unless PostgreSQL was built otherwise.
    public private(set) var blockSize = 0
    /// Blocks of a relation's segment file: 131072 (1 GiB) unless PostgreSQL was built otherwise.
    public private(set) var segmentBlocks = 0
    public private(set) var walBlockSize = 0
    /// Bytes of a WAL segment, a power of two from 1 MiB to 1 GiB.
    public private(set) var walSegmentSize = 0
    public private(set) var nameDataLength: UInt32 = 0
    public private(set) var indexMaxKeys: UInt32 = 0
    public private(set) var toastMaxChunkSize: UInt32 = 0
    public private(set) var largeObjectBlockSize: UInt32 = 0
    public private(set) var float8ByValue = false
    /// 0 when pages have no checksums.
    public var dataChecksumVersion: UInt32 = 0
    /// Whether `char` has a sign where the cluster was made. Since PostgreSQL 18; nil before.
    public var defaultCharIsSigned: Bool?
    /// 32 random bytes.
    public var mockAuthenticationNonce = [UInt8](repeating: 0, count: 32)

    /// Parses the content of the file.
    ///
    /// - Throws: `FormatError`, also for versions other than 14 to 18, and for values that no cluster can have.
    public init(parsing bytes: [UInt8]) throws(FormatError) {
        guard bytes.count >= Self.fileSize else { throw .truncated(offset: bytes.count, needed: Self.fileSize) }
        guard bytes.count == Self.fileSize else {
            throw .invalid("the control file has \(Self.fileSize) bytes, not \(bytes.count)")
        }
        var fields = FieldReader(bytes: bytes)
        var (controlVersion, catalogVersion, storedCRC): (UInt32, UInt32, UInt32) = (0, 0, 0)
        try fields.integer(&controlVersion, at: 8)
        try fields.integer(&catalogVersion, at: 12)
        let crcOffset = try Self.crcOffset(controlVersion: controlVersion)
        try fields.integer(&storedCRC, at: crcOffset)
        let computed = cchecksum_crc32c(0, bytes, crcOffset)
        guard computed == storedCRC else {
            throw .badCRC(what: "control file", stored: storedCRC, computed: computed)
        }
        majorVersion = try Self.major(controlVersion: controlVersion, catalogVersion: catalogVersion)
        original = bytes
        try transfer(&fields)
        try validate()
    }

    /// Parses the content of the file.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(FormatError) { try self.init(parsing: Array(bytes)) }

    /// The content of the file: `fileSize` bytes, with a CRC that fits.
    public func serialized() -> [UInt8] {
        var fields = FieldWriter(bytes: original)
        var copy = self
        copy.transfer(&fields)
        let offset = defaultCharIsSigned == nil ? 288 : 292
        let crc = cchecksum_crc32c(0, fields.bytes, offset)
        fields.store(crc, at: offset)
        return fields.bytes
    }

    /// Reads or writes every field: the one place that knows their offsets.
    private mutating func transfer<Fields: FieldTransfer>(_ fields: inout Fields) throws(Fields.Failure) {
        try fields.integer(&systemIdentifier, at: 0)
        try fields.integer(&controlVersion, at: 8)
        try fields.integer(&catalogVersion, at: 12)
        try fields.enumeration(&state, at: 16, "cluster state")
        try fields.integer(&modificationTime, at: 24)
        try fields.integer(&checkpoint.rawValue, at: 32)
        try checkpointCopy.transfer(&fields, at: 40, hasWALLevel: majorVersion >= 17)
        try fields.integer(&unloggedLSN.rawValue, at: 128)
        try fields.integer(&minRecoveryPoint.rawValue, at: 136)
        try fields.integer(&minRecoveryPointTimeLineID, at: 144)
        try fields.integer(&backupStartPoint.rawValue, at: 152)
        try fields.integer(&backupEndPoint.rawValue, at: 160)
        try fields.boolean(&backupEndRequired, at: 168)
        try fields.enumeration(&walLevel, at: 172, "wal_level")
        try fields.boolean(&walLogHints, at: 176)
        try fields.integer(&maxConnections, at: 180)
        try fields.integer(&maxWorkerProcesses, at: 184)
        try fields.integer(&maxWALSenders, at: 188)
        try fields.integer(&maxPreparedTransactions, at: 192)
        try fields.integer(&maxLocksPerTransaction, at: 196)
        try fields.boolean(&trackCommitTimestamp, at: 200)
        try fields.integer(&maxAlign, at: 204)
        try fields.double(&floatFormat, at: 208)
        try fields.size(&blockSize, at: 216)
        try fields.size(&segmentBlocks, at: 220)
        try fields.size(&walBlockSize, at: 224)
        try fields.size(&walSegmentSize, at: 228)
        try fields.integer(&nameDataLength, at: 232)
        try fields.integer(&indexMaxKeys, at: 236)
        try fields.integer(&toastMaxChunkSize, at: 240)
        try fields.integer(&largeObjectBlockSize, at: 244)
        try fields.boolean(&float8ByValue, at: 248)
        try fields.integer(&dataChecksumVersion, at: 252)
        guard majorVersion >= 18 else { return try fields.raw(&mockAuthenticationNonce, at: 256) }
        var isSigned = defaultCharIsSigned ?? true
        try fields.boolean(&isSigned, at: 256)
        defaultCharIsSigned = isSigned
        try fields.raw(&mockAuthenticationNonce, at: 257)
    }

    /// What others divide by and shift with must be what it can be, even when the CRC fits.
    private func validate() throws(FormatError) {
        func isPowerOfTwo(_ value: Int, _ range: ClosedRange<Int>) -> Bool {
            range.contains(value) && value & (value - 1) == 0
        }
        guard isPowerOfTwo(blockSize, 1024...32768) else { throw .invalid("the block size is \(blockSize) bytes") }
        guard isPowerOfTwo(walBlockSize, 1024...65536) else {
            throw .invalid("the WAL block size is \(walBlockSize) bytes")
        }
        guard segmentBlocks > 0 else { throw .invalid("a relation's segment has \(segmentBlocks) blocks") }
        guard WALSegment.isValidSize(walSegmentSize) else {
            throw .invalid("the WAL segment size is \(walSegmentSize) bytes")
        }
    }
}
