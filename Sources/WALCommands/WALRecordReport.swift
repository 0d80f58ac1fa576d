import PostgresFormat
import WALInspection

/// A record as `wal dump --json` prints it.
struct WALRecordReport: Encodable {
    struct Image: Encodable {
        let bytes: Int
        let holeOffset: Int
        let holeBytes: Int
        /// `none`, `pglz`, `lz4`, `zstd`
        let compression: String
        let applies: Bool
    }
    struct Block: Encodable {
        let id: UInt8
        let tablespace: UInt32
        let database: UInt32
        let relation: UInt32
        let fork: String
        let block: UInt32
        let initializes: Bool
        let dataBytes: Int
        let image: Image?
    }
    let lsn: String
    let endLSN: String
    let previousLSN: String
    let rmgr: String
    let type: String
    let description: String
    let xid: UInt32
    let topLevelXid: UInt32?
    let origin: UInt16?
    let recordBytes: Int
    let imageBytes: Int
    let totalBytes: Int
    let blocks: [Block]

    init(_ record: WALRecord, major: Int) {
        let description = WALRecordDescription(record, major: major)
        lsn = record.startLSN.description
        endLSN = record.endLSN.description
        previousLSN = record.previousLSN.description
        rmgr = record.manager.description
        type = description.name
        self.description = description.text
        xid = record.xid
        topLevelXid = record.topLevelXid
        origin = record.origin
        imageBytes = record.imageBytes
        totalBytes = record.length
        recordBytes = totalBytes - imageBytes
        blocks = record.blocks.map { block in
            let image = block.image.map { image in
                Image(
                    bytes: image.bytes.count, holeOffset: image.holeOffset, holeBytes: image.holeLength,
                    compression: "\(image.compression)", applies: image.applies)
            }
            return Block(
                id: block.id, tablespace: block.relation.tablespace, database: block.relation.database,
                relation: block.relation.relation, fork: block.fork.walName, block: block.block,
                initializes: block.initializes, dataBytes: block.data.count, image: image)
        }
    }
}
