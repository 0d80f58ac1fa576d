import PostgresFormat

/// Files of relations that come, and are cut.
///
/// Source: PostgreSQL's `src/backend/catalog/storage.c`, `smgr_redo`, and `src/include/catalog/storage_xlog.h`.
struct StorageRedo {
    let record: WALRecord

    private enum Operation {
        static let create: UInt8 = 0x10
        static let truncate: UInt8 = 0x20
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        var main = RecordData(record.mainData)
        switch record.operation {
        case Operation.create:
            let relation = try locator(&main)
            let number = try main.read(Int32.self)
            guard let fork = UInt8(exactly: number).flatMap(ForkKind.init(rawValue:)) else {
                throw RedoFault("there is no fork \(number)")
            }
            effects.append(.relationCreated(relation, fork))
        case Operation.truncate:
            let blocks = try main.read(UInt32.self)
            let relation = try locator(&main)
            let forks = TruncatedForks(rawValue: try main.read(UInt32.self))
            effects.append(.relationTruncated(relation, blocks: blocks, forks: forks))
        default: throw unknownOperation(record)
        }
    }

    private func locator(_ main: inout RecordData) throws(RedoFault) -> RelationLocator {
        RelationLocator(loading: try main.read(12), at: 0)
    }
}
