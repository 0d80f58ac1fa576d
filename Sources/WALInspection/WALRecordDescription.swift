public import PostgresFormat

/// What a WAL record says, in the words of PostgreSQL 18's `pg_waldump`, whatever version wrote it.
///
/// Source: PostgreSQL's `src/backend/access/rmgrdesc`. Records are not trusted: what is cut short says so.
public struct WALRecordDescription: Sendable, Hashable {
    /// The type: `INSERT`, `HOT_UPDATE+INIT`, `COMMIT`. `UNKNOWN (70)` for one that this version does not have.
    public let name: String
    /// Its content; empty where there is no more to say.
    public let text: String

    /// - Parameter major: The version that wrote the record, 14 to 18.
    public init(_ record: WALRecord, major: Int) {
        name = Self.name(record.manager, info: record.info, major: major)
        var writer = RecordTextWriter(record, major: major)
        do throws(RecordCutShort) { try writer.describe() } catch {
            writer.text += writer.text.isEmpty || writer.text.hasSuffix(" ") ? "(damaged)" : " (damaged)"
        }
        text = writer.text
    }
}

/// Writes the text of one record. Its parts, one for each resource manager, lie in the files beside this one.
struct RecordTextWriter {
    let record: WALRecord
    let major: Int
    /// The main data, as far as it was not read yet.
    var main: RecordBytes
    var text = ""

    init(_ record: WALRecord, major: Int) {
        self.record = record
        self.major = major
        main = RecordBytes(record.mainData)
    }

    mutating func describe() throws(RecordCutShort) {
        switch record.manager {
        case .xlog: try describeXLOG()
        case .transaction: try describeTransaction()
        case .storage: try describeStorage()
        case .clog: try describeCLOG()
        case .database: try describeDatabase()
        case .tablespace: try describeTablespace()
        case .multiXact: try describeMultiXact()
        case .relationMap: try describeRelationMap()
        case .standby: try describeStandby()
        case .heap2: try describeHeap2()
        case .heap: try describeHeap()
        case .btree: try describeBtree()
        case .hash: try describeHash()
        case .gin: try describeGin()
        case .gist: try describeGist()
        case .sequence: text += "rel \(try main.relation())"
        case .spgist: try describeSPGist()
        case .brin: try describeBRIN()
        case .commitTimestamp: try describeCommitTimestamp()
        case .replicationOrigin: try describeReplicationOrigin()
        case .logicalMessage: try describeLogicalMessage()
        default: if record.manager.isCustom { text += "rmid: \(record.manager.rawValue)" }
        }
    }

    /// What comes with block 0.
    var blockData: RecordBytes? {
        guard let block = record.block(0), block.data.count > 0 else { return nil }
        return RecordBytes(block.data)
    }

    /// `[a, b, c]`: elements that have at least `size` bytes each, so that a count can be believed.
    static func list(
        _ bytes: inout RecordBytes, _ count: Int, size: Int,
        _ element: (inout RecordBytes) throws(RecordCutShort) -> String
    ) throws(RecordCutShort) -> String {
        guard count >= 0, count <= bytes.remaining / size else { throw RecordCutShort() }
        var text = "["
        for index in 0..<count { text += (index > 0 ? ", " : "") + (try element(&bytes)) }
        return text + "]"
    }

    /// `[1, 2, 3]`
    static func offsets(_ bytes: inout RecordBytes, _ count: Int) throws(RecordCutShort) -> String {
        try list(&bytes, count, size: 2) { (bytes) throws(RecordCutShort) in "\(try bytes.u16())" }
    }

    /// ` 1 2 3`: as above, the elements with a blank in front.
    static func words(
        _ bytes: inout RecordBytes, _ count: Int, size: Int,
        _ element: (inout RecordBytes) throws(RecordCutShort) -> String
    ) throws(RecordCutShort) -> String {
        guard count >= 0, count <= bytes.remaining / size else { throw RecordCutShort() }
        var text = ""
        for _ in 0..<count { text += " " + (try element(&bytes)) }
        return text
    }

    /// Since PostgreSQL 17 SLRU pages have numbers of 64 bits.
    mutating func slruPage() throws(RecordCutShort) -> Int64 { major >= 17 ? try main.i64() : Int64(try main.i32()) }

    /// Since PostgreSQL 16 some records tell whether the relation is a catalog.
    mutating func catalogFlag(_ introduction: String = ", isCatalogRel: ") throws(RecordCutShort) {
        if major >= 16 { text += introduction + Self.letter(try main.u8() != 0) }
    }

    static func letter(_ value: Bool) -> String { value ? "T" : "F" }

    /// `0x0A`
    static func hexadecimal(_ value: UInt8) -> String {
        (value < 16 ? "0x0" : "0x") + String(value, radix: 16, uppercase: true)
    }

    static func fullXid(_ value: UInt64) -> String { "\(value >> 32):\(value & 0xFFFF_FFFF)" }
}
