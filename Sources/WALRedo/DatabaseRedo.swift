import PostgresFormat

/// Databases that are made, copied and dropped.
///
/// Source: PostgreSQL's `src/backend/commands/dbcommands.c`, `dbase_redo`, and
/// `src/include/commands/dbcommands_xlog.h`.
struct DatabaseRedo {
    let record: WALRecord
    let major: Int

    private enum Operation {
        static let copy: UInt8 = 0x00
        /// Since 15, when databases came to be made from WAL alone, and dropping them got a number of its own.
        static let create: UInt8 = 0x10
        static func drop(major: Int) -> UInt8 { major >= 15 ? 0x20 : 0x10 }
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        var main = RecordData(record.mainData)
        switch record.operation {
        case Operation.copy:
            let target = try directory(&main)
            effects.append(.databaseCopied(target, from: try directory(&main)))
        case Operation.drop(major: major):
            let database = try main.read(UInt32.self)
            let count = Int(try main.read(Int32.self))
            guard count >= 0, count <= main.count / 4 else { throw RedoFault("it has \(count) tablespaces") }
            for _ in 0..<count {
                let tablespace = try main.read(UInt32.self)
                effects.append(.databaseDropped(DatabaseDirectory(tablespace: tablespace, database: database)))
            }
        case Operation.create: effects.append(.databaseCreated(try directory(&main)))
        default: throw unknownOperation(record)
        }
    }

    private func directory(_ main: inout RecordData) throws(RedoFault) -> DatabaseDirectory {
        let database = try main.read(UInt32.self)
        return DatabaseDirectory(tablespace: try main.read(UInt32.self), database: database)
    }
}
