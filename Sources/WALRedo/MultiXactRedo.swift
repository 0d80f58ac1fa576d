import PostgresFormat

/// Sets of transactions that share a lock.
///
/// Source: PostgreSQL's `src/backend/access/transam/multixact.c`, `multixact_redo`, and `src/include/access/multixact.h`.
struct MultiXactRedo {
    let record: WALRecord
    let major: Int

    private enum Operation {
        static let zeroOffsetPage: UInt8 = 0x00
        static let zeroMemberPage: UInt8 = 0x10
        static let create: UInt8 = 0x20
        static let truncate: UInt8 = 0x30
    }

    func append(to effects: inout [RecordEffect]) throws(RedoFault) {
        var main = RecordData(record.mainData)
        switch record.operation {
        case Operation.zeroOffsetPage:
            let page = try main.readSLRUPage(major: major)
            effects.append(.slru(SLRUChange(kind: .multixactOffsets, page: page, content: .zeroed)))
        case Operation.zeroMemberPage:
            let page = try main.readSLRUPage(major: major)
            effects.append(.slru(SLRUChange(kind: .multixactMembers, page: page, content: .zeroed)))
        case Operation.create: try create(&main, &effects)
        case Operation.truncate: try truncate(&main, &effects)
        default: throw unknownOperation(record)
        }
    }

    private static let memberBytes = 8
    private static let firstMultixact: UInt32 = 1

    private func create(_ main: inout RecordData, _ effects: inout [RecordEffect]) throws(RedoFault) {
        let multixact = try main.read(UInt32.self)
        let offset = try main.read(UInt32.self)
        let count = Int(try main.read(Int32.self))
        guard count > 0, count <= main.count / Self.memberBytes else { throw RedoFault("it has \(count) members") }
        let members = try main.read(count * Self.memberBytes)

        // What follows tells where this one's members end. Servers write that themselves since the minor releases of
        // 2026, before it was written with the next one; no reader can tell the difference.
        let next = multixact == .max ? Self.firstMultixact : multixact + 1
        let nextOffset = offset &+ UInt32(count)
        for (id, start) in [(multixact, offset), (next, nextOffset == 0 ? 1 : nextOffset)] {
            effects.append(
                .slru(
                    SLRUChange(
                        kind: .multixactOffsets, page: SLRUChange.offsetPage(id), content: .multixactOffset(id, start)))
            )
        }
        let pages = Set((0..<count).map { SLRUChange.memberPage(offset &+ UInt32($0)) })
        for page in pages.sorted() {
            effects.append(
                .slru(
                    SLRUChange(kind: .multixactMembers, page: page, content: .multixactMembers(offset, members))))
        }
        effects.append(.multixactUsed(multixact, nextOffset: nextOffset))
        for index in 0..<count {
            let xid = members.loadUnaligned(fromByteOffset: index * Self.memberBytes, as: UInt32.self)
            effects.append(.xidUsed(UInt32(littleEndian: xid)))
        }
    }

    private func truncate(_ main: inout RecordData, _ effects: inout [RecordEffect]) throws(RedoFault) {
        let database = try main.read(UInt32.self)
        _ = try main.read(UInt32.self)
        let end = try main.read(UInt32.self)
        let (firstMember, endMember) = (try main.read(UInt32.self), try main.read(UInt32.self))
        effects.append(.oldestMultixact(end, database: database))
        effects.append(
            .multixactMembersTruncated(
                from: SLRUChange.memberPage(firstMember), to: SLRUChange.memberPage(endMember)))
        let last = end == Self.firstMultixact ? UInt32.max : end &- 1
        effects.append(.slruTruncated(.multixactOffsets, before: SLRUChange.offsetPage(last)))
    }
}
