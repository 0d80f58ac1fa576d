import PostgresFormat

/// Tablespaces that come and go.
///
/// Source: PostgreSQL's `src/backend/commands/tablespace.c`, `tblspc_redo`.
struct TablespaceRedo {
    let record: WALRecord

    private enum Operation {
        static let create: UInt8 = 0x00
        static let drop: UInt8 = 0x10
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        var main = RecordData(record.mainData)
        let tablespace = try main.read(UInt32.self)
        switch record.operation {
        case Operation.create:
            guard let end = main.rest.firstIndex(of: 0) else { throw RedoFault("its path has no end") }
            effects.append(.tablespaceCreated(tablespace, path: try main.read(end)))
        case Operation.drop: effects.append(.tablespaceDropped(tablespace))
        default: throw unknownOperation(record)
        }
    }
}
