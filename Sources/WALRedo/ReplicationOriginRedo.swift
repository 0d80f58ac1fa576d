import PostgresFormat

/// How far what other nodes sent has been applied.
///
/// Source: PostgreSQL's `src/backend/replication/logical/origin.c`, `replorigin_redo`.
struct ReplicationOriginRedo {
    let record: WALRecord

    private enum Operation {
        static let set: UInt8 = 0x00
        static let drop: UInt8 = 0x10
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        let main = RecordData(record.mainData)
        switch record.operation {
        case Operation.set:
            effects.append(
                .originAdvanced(
                    try main.load(8, UInt16.self), remoteLSN: LSN(rawValue: try main.load(0, UInt64.self)),
                    isForced: try main.load(10, UInt8.self) != 0))
        case Operation.drop: effects.append(.originDropped(try main.load(0, UInt16.self)))
        default: throw unknownOperation(record)
        }
    }
}
