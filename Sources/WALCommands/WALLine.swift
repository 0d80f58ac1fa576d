import PostgresFormat
import WALInspection

/// A record in one line, with the fields of `pg_waldump` in its order, and its blanks.
func walLine(_ record: WALRecord, major: Int) -> String {
    let description = WALRecordDescription(record, major: major)
    let manager = record.manager.description
    var line = "rmgr: \(manager)" + blanks(11 - manager.utf8.count)
    line += " len (rec/tot): \(padded(record.length - record.imageBytes, 6))/\(padded(record.length, 6))"
    line += ", tx: \(padded(Int(record.xid), 10)), lsn: \(fixed(record.startLSN)), prev \(fixed(record.previousLSN))"
    line += ", desc: \(description.name) \(description.text)"
    for block in record.blocks {
        line += ", blkref #\(block.id): rel \(block.relation)"
        if block.fork != .main { line += " fork \(block.fork.walName)" }
        line += " blk \(block.block)"
        if let image = block.image { line += image.applies ? " FPW" : " FPW for WAL verification" }
    }
    return line
}

private func blanks(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }

private func padded(_ number: Int, _ width: Int) -> String {
    let text = String(number)
    return blanks(width - text.utf8.count) + text
}

/// `0/03000028`: the lower half with all its digits.
private func fixed(_ lsn: LSN) -> String {
    let low = String(lsn.rawValue & 0xFFFF_FFFF, radix: 16, uppercase: true)
    return String(lsn.rawValue >> 32, radix: 16, uppercase: true) + "/"
        + String(repeating: "0", count: 8 - low.utf8.count) + low
}
