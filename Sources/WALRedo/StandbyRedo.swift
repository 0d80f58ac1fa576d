import PostgresFormat

/// What standbys are told: of use here is which transactions there are.
///
/// Source: PostgreSQL's `src/backend/storage/ipc/standby.c`, `standby_redo`, and `src/include/storage/standbydefs.h`.
struct StandbyRedo {
    let record: WALRecord

    private enum Operation {
        static let lock: UInt8 = 0x00
        static let runningTransactions: UInt8 = 0x10
        static let invalidations: UInt8 = 0x20
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        switch record.operation {
        case Operation.runningTransactions:
            let next = try RecordData(record.mainData).load(12, UInt32.self)
            // The one before it has been given out; 0 to 2 are never.
            if next > 3 { effects.append(.xidUsed(next - 1)) }
        case Operation.lock, Operation.invalidations: break
        default: throw unknownOperation(record)
        }
    }
}
