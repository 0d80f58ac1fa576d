import PostgresFormat

/// Files that say where the catalogs are which have no entry in one.
///
/// Source: PostgreSQL's `src/backend/utils/cache/relmapper.c`, `relmap_redo`.
struct RelationMapRedo {
    let record: WALRecord

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        guard record.operation == 0 else { throw unknownOperation(record) }
        var main = RecordData(record.mainData)
        let database = try main.read(UInt32.self)
        let directory = DatabaseDirectory(tablespace: try main.read(UInt32.self), database: database)
        let content = try main.read(Int(try main.read(Int32.self)))
        do { _ = try RelationMap(parsing: content) } catch { throw RedoFault("its relation map: \(error)") }
        effects.append(.relationMapReplaced(directory, content: content))
    }
}
