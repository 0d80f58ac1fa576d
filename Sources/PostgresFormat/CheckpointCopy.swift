/// The content of a checkpoint record, as the control file repeats it.
///
/// Source: PostgreSQL's `src/include/catalog/pg_control.h`, `CheckPoint`.
public struct CheckpointCopy: Hashable, Sendable {
    /// Bytes of it in the control file and in the WAL.
    public static let size = 88

    /// Where recovery from this checkpoint begins. For a shutdown checkpoint, the record itself.
    public var redo = LSN.invalid
    public var thisTimeLineID: TimelineID = 0
    /// The same, unless the record begins a new timeline.
    public var prevTimeLineID: TimelineID = 0
    public var fullPageWrites = false
    /// Since PostgreSQL 17; nil before.
    public var walLevel: ControlFile.WALLevel?
    /// With its epoch in the upper 32 bits.
    public var nextXid: UInt64 = 0
    public var nextOid: UInt32 = 0
    public var nextMulti: UInt32 = 0
    public var nextMultiOffset: UInt32 = 0
    public var oldestXid: UInt32 = 0
    public var oldestXidDB: UInt32 = 0
    public var oldestMulti: UInt32 = 0
    public var oldestMultiDB: UInt32 = 0
    /// Seconds since 1970.
    public var time: Int64 = 0
    public var oldestCommitTsXid: UInt32 = 0
    public var newestCommitTsXid: UInt32 = 0
    /// 0 in a shutdown checkpoint.
    public var oldestActiveXid: UInt32 = 0

    init() {}

    /// - Parameter bytes: A checkpoint record's data.
    /// - Throws: `FormatError` where there are too few, or a field has a value that its type has not.
    public init(parsing bytes: UnsafeRawBufferPointer, major: Int) throws(FormatError) {
        guard bytes.count >= Self.size else { throw .invalid("a checkpoint of \(bytes.count) bytes") }
        var fields = FieldReader(bytes: Array(bytes))
        try transfer(&fields, at: 0, hasWALLevel: major >= 17)
    }

    mutating func transfer<Fields: FieldTransfer>(
        _ fields: inout Fields, at start: Int, hasWALLevel: Bool
    ) throws(Fields.Failure) {
        try fields.integer(&redo.rawValue, at: start)
        try fields.integer(&thisTimeLineID, at: start + 8)
        try fields.integer(&prevTimeLineID, at: start + 12)
        try fields.boolean(&fullPageWrites, at: start + 16)
        if hasWALLevel {
            var level = walLevel ?? .minimal
            try fields.enumeration(&level, at: start + 20, "checkpoint's wal_level")
            walLevel = level
        }
        try fields.integer(&nextXid, at: start + 24)
        try fields.integer(&nextOid, at: start + 32)
        try fields.integer(&nextMulti, at: start + 36)
        try fields.integer(&nextMultiOffset, at: start + 40)
        try fields.integer(&oldestXid, at: start + 44)
        try fields.integer(&oldestXidDB, at: start + 48)
        try fields.integer(&oldestMulti, at: start + 52)
        try fields.integer(&oldestMultiDB, at: start + 56)
        try fields.integer(&time, at: start + 64)
        try fields.integer(&oldestCommitTsXid, at: start + 72)
        try fields.integer(&newestCommitTsXid, at: start + 76)
        try fields.integer(&oldestActiveXid, at: start + 80)
    }
}
