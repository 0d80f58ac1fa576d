import PostgresFormat

/// Pages of commit timestamps that come and go; what is on them follows from commits.
///
/// Source: PostgreSQL's `src/backend/access/transam/commit_ts.c`, `commit_ts_redo`.
struct CommitTimestampRedo {
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
            effects.append(.slru(SLRUChange(kind: .commitTimestamps, page: page, content: .zeroed)))
        case Operation.truncate:
            effects.append(.oldestCommitTimestamp(try main.read(UInt32.self)))
            effects.append(.slruTruncated(.commitTimestamps, before: page))
        default: throw unknownOperation(record)
        }
    }
}
