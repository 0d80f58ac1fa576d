import PostgresFormat

/// Pages of transaction status that come and go.
///
/// Source: PostgreSQL's `src/backend/access/transam/clog.c`, `clog_redo`.
struct CLOGRedo {
    let record: WALRecord
    let major: Int

    private enum Operation {
        static let zeroPage: UInt8 = 0x00
        static let truncate: UInt8 = 0x10
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        var main = RecordData(record.mainData)
        let page = try main.readSLRUPage(major: major)
        switch record.operation {
        case Operation.zeroPage:
            effects.append(.slru(SLRUChange(kind: .transactions, page: page, content: .zeroed)))
        case Operation.truncate:
            effects.append(.oldestXid(try main.read(UInt32.self), database: try main.read(UInt32.self)))
            effects.append(.slruTruncated(.transactions, before: page))
        default: throw unknownOperation(record)
        }
    }
}

extension RecordData {
    /// Pages of these logs have numbers of 64 bits since 17.
    mutating func readSLRUPage(major: Int) throws(RedoFault) -> Int {
        let page = major >= 17 ? try read(Int64.self) : Int64(try read(Int32.self))
        // As many as all transactions need, with the fewest on a page.
        guard page >= 0, page <= Int64(UInt32.max) / Int64(SLRUChange.timestampsPerPage) else {
            throw RedoFault("there is no page \(page)")
        }
        return Int(page)
    }
}
