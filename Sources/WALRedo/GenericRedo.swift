import Glibc
import PostgresFormat

/// `generic_redo`: bytes of the page are replaced, whosever page it is.
///
/// Source: PostgreSQL's `src/backend/access/transam/generic_xlog.c`.
func redoGeneric(_ block: WALBlockReference, _ page: RedoPage) throws(RedoFault) {
    var data = RecordData(block.data)
    while data.count > 0 {
        let offset = Int(try data.read(UInt16.self))
        let bytes = try data.read(Int(try data.read(UInt16.self)))
        guard offset + bytes.count <= Page.size else {
            throw RedoFault("\(bytes.count) bytes at \(offset) leave the page")
        }
        if let source = bytes.baseAddress { (page.bytes + offset).copyMemory(from: source, byteCount: bytes.count) }
    }
    try page.checkHeader()
    memset(page.bytes + page.lower, 0, page.upper - page.lower)
}
