// XLOG and the managers of what is no relation's page.

import PostgresFormat

extension RecordTextWriter {
    mutating func describeXLOG() throws(RecordCutShort) {
        switch record.operation {
        case 0x00, 0x10: try describeCheckpoint()
        case 0x30: text += "\(try main.u32())"
        case 0x50: text += "\(try main.lsn())"
        case 0x60:
            let counts = (try main.i32(), try main.i32(), try main.i32(), try main.i32(), try main.i32())
            text += "max_connections=\(counts.0) max_worker_processes=\(counts.1) max_wal_senders=\(counts.2) "
            text += "max_prepared_xacts=\(counts.3) max_locks_per_xact=\(counts.4) wal_level=\(try walLevel()) "
            text += "wal_log_hints=\(try onOff()) track_commit_timestamp=\(try onOff())"
        case 0x70:
            try main.skip(8)
            text += main.text(limit: 64)
        case 0x80: text += "\(try main.u8() != 0)"
        case 0x90:
            let time = try main.i64()
            text += "tli \(try main.u32()); prev tli \(try main.u32()); time \(TimestampText.microseconds(time))"
            if major >= 17 { text += "; wal_level \(try walLevel())" }
        case 0xD0: text += "lsn \(try main.lsn()); time \(TimestampText.microseconds(try main.i64()))"
        case 0xE0 where major >= 17: text += "wal_level \(try walLevel())"
        default: break
        }
    }

    private mutating func onOff() throws(RecordCutShort) -> String { try main.u8() != 0 ? "on" : "off" }

    private mutating func walLevel() throws(RecordCutShort) -> String {
        switch try main.i32() {
        case 0: "minimal"
        case 1: "replica"
        case 2: "logical"
        default: "?"
        }
    }

    private mutating func describeCheckpoint() throws(RecordCutShort) {
        text += "redo \(try main.lsn()); tli \(try main.u32()); prev tli \(try main.u32()); fpw \(try main.u8() != 0)"
        try main.align(4)
        let level = try walLevel()
        text += (major >= 17 ? "; wal_level \(level)" : "") + "; xid \(Self.fullXid(try main.u64()))"
        text += "; oid \(try main.u32()); multi \(try main.u32()); offset \(try main.u32())"
        text += "; oldest xid \(try main.u32()) in DB \(try main.u32())"
        text += "; oldest multi \(try main.u32()) in DB \(try main.u32())"
        try main.align(8)
        try main.skip(8)  // the time
        text += "; oldest/newest commit timestamp xid: \(try main.u32())/\(try main.u32())"
        text += "; oldest running xid \(try main.u32()); \(record.operation == 0 ? "shutdown" : "online")"
    }

    mutating func describeStorage() throws(RecordCutShort) {
        switch record.operation {
        case 0x10:
            let relation = try main.relation()
            text += path(relation, fork: ForkKind(rawValue: UInt8(truncatingIfNeeded: try main.i32())) ?? .main)
        case 0x20:
            let blocks = try main.u32()
            text += "\(path(try main.relation())) to \(blocks) blocks flags \(try main.i32())"
        default: break
        }
    }

    /// Released servers of one version all have this catalog version.
    private static let catalogVersions: [Int: UInt32] = [
        14: 202_107_181, 15: 202_209_061, 16: 202_307_071, 17: 202_406_281, 18: 202_506_291,
    ]

    /// A relation's first file.
    func path(_ relation: RelationLocator, fork: ForkKind = .main) -> String {
        let directory = tablespaceVersionDirectory(major: major, catalogVersion: Self.catalogVersions[major] ?? 0)
        return RelationFork(
            tablespace: relation.tablespace, database: relation.database, relation: relation.relation, fork: fork
        ).path(tablespaceVersionDirectory: directory)
    }

    mutating func describeCLOG() throws(RecordCutShort) {
        switch record.operation {
        case 0x00: text += "page \(try slruPage())"
        case 0x10: text += "page \(try slruPage()); oldestXact \(try main.u32())"
        default: break
        }
    }

    mutating func describeCommitTimestamp() throws(RecordCutShort) {
        switch record.operation {
        case 0x00: text += "\(try slruPage())"
        case 0x10: text += "pageno \(try slruPage()), oldestXid \(try main.u32())"
        default: break
        }
    }

    mutating func describeDatabase() throws(RecordCutShort) {
        let operation = major < 15 && record.operation == 0x10 ? 0x20 : record.operation
        switch operation {
        case 0x00:
            let (database, tablespace) = (try main.u32(), try main.u32())
            let (sourceDatabase, sourceTablespace) = (try main.u32(), try main.u32())
            text += "copy dir \(sourceTablespace)/\(sourceDatabase) to \(tablespace)/\(database)"
        case 0x10:
            let database = try main.u32()
            text += "create dir \(try main.u32())/\(database)"
        case 0x20:
            let database = try main.u32()
            text += "dir"
            text += try Self.words(&main, Int(try main.i32()), size: 4) { (bytes) throws(RecordCutShort) in
                "\(try bytes.u32())/\(database)"
            }
        default: break
        }
    }

    mutating func describeTablespace() throws(RecordCutShort) {
        switch record.operation {
        case 0x00: text += "\(try main.u32()) \"\(main.text())\""
        case 0x10: text += "\(try main.u32())"
        default: break
        }
    }

    mutating func describeMultiXact() throws(RecordCutShort) {
        switch record.operation {
        case 0x00, 0x10: text += "\(try slruPage())"
        case 0x20:
            text += "\(try main.u32()) offset \(try main.u32())"
            let count = try main.i32()
            text += " nmembers \(count):"
            let names = ["keysh", "sh", "fornokeyupd", "forupd", "nokeyupd", "upd"]
            text += try Self.words(&main, Int(count), size: 8) { (bytes) throws(RecordCutShort) in
                let xid = try bytes.u32()
                let status = Int(try bytes.i32())
                return "\(xid) (\(names.indices.contains(status) ? names[status] : "unk"))"
            }
        case 0x30:
            try main.skip(4)  // the database of the oldest
            text += "offsets [\(try main.u32()), \(try main.u32())), members [\(try main.u32()), \(try main.u32()))"
        default: break
        }
    }

    mutating func describeRelationMap() throws(RecordCutShort) {
        guard record.operation == 0 else { return }
        text += "database \(try main.u32()) tablespace \(try main.u32()) size \(try main.i32())"
        let bytes = try main.take(main.remaining)
        guard let map = try? RelationMap(parsing: bytes) else { throw RecordCutShort() }
        // Which catalog lies where from now on is what the record is for.
        text += " map"
        for entry in map.entries { text += " \(entry.oid):\(entry.relation)" }
    }

    mutating func describeReplicationOrigin() throws(RecordCutShort) {
        switch record.operation {
        case 0x00:
            let lsn = try main.lsn()
            text += "set \(try main.u16()); lsn \(lsn); force: \(try main.u8())"
        case 0x10: text += "drop \(try main.u16())"
        default: break
        }
    }

    /// More of a message would drown all else.
    private static let longestPayload = 256

    mutating func describeLogicalMessage() throws(RecordCutShort) {
        guard record.operation == 0 else { return }
        try main.skip(4)  // the database
        text += try main.u8() != 0 ? "transactional" : "non-transactional"
        try main.align(8)
        let (prefixBytes, payloadBytes) = (Int(clamping: try main.u64()), Int(clamping: try main.u64()))
        let prefix = printable(try main.take(prefixBytes).prefix { $0 != 0 })
        let payload = try main.take(payloadBytes)
        text += ", prefix \"\(prefix)\"; payload (\(payloadBytes) bytes):"
        for byte in payload.prefix(Self.longestPayload) { text += " " + Self.hexadecimal(byte).dropFirst(2) }
        if payload.count > Self.longestPayload { text += " …" }
    }
}
