// Transactions, and what standbys are told of them.

import PostgresFormat

extension RecordTextWriter {
    /// `XACT_XINFO_…` of PostgreSQL's `src/include/access/xact.h`.
    private enum Part {
        static let database: UInt32 = 0x01
        static let subtransactions: UInt32 = 0x02
        static let relations: UInt32 = 0x04
        static let invalidations: UInt32 = 0x08
        static let twoPhase: UInt32 = 0x10
        static let origin: UInt32 = 0x20
        static let globalID: UInt32 = 0x80
        static let statistics: UInt32 = 0x100
        static let cacheFile: UInt32 = 1 << 30
        static let forcesSync: UInt32 = 1 << 31
    }

    mutating func describeTransaction() throws(RecordCutShort) {
        switch record.operation & 0x70 {
        case 0x00, 0x30: try describeEnd(commits: true)
        case 0x20, 0x40: try describeEnd(commits: false)
        case 0x10: try describePrepare()
        case 0x50:
            text += "xtop \(try main.u32()): subxacts:"
            text += try Self.words(&main, Int(try main.i32()), size: 4) { (bytes) throws(RecordCutShort) in
                "\(try bytes.u32())"
            }
        case 0x60: text += try Self.invalidations(Int(try main.i32()), &main)
        default: break
        }
    }

    /// A commit or an abort. Parts come in one order, and are told in another, as `pg_waldump` does: those that are
    /// told later wait as cursors.
    private mutating func describeEnd(commits: Bool) throws(RecordCutShort) {
        let time = try main.i64()
        let parts = record.operation & 0x80 != 0 ? try main.u32() : 0
        var (database, tablespace): (UInt32, UInt32) = (0, 0)
        if parts & Part.database != 0 { (database, tablespace) = (try main.u32(), try main.u32()) }
        let subtransactions = try part(parts, Part.subtransactions, size: 4)
        var relations = try part(parts, Part.relations, size: 12)
        var statistics = try part(parts, Part.statistics, size: Self.statisticsBytes(major))
        let messages = commits ? try part(parts, Part.invalidations, size: 16) : nil
        if parts & Part.twoPhase != 0 {
            text += "\(try main.u32()): "
            if parts & Part.globalID != 0 { _ = main.text() }
        }
        text += TimestampText.microseconds(time)
        try droppedRelations("rels", &relations)
        if var found = subtransactions { try subtransactionList(found.count, &found.bytes) }
        if commits { try droppedStatistics("", &statistics) }
        if var found = messages {
            text += try Self.invalidations(
                found.count, &found.bytes,
                cacheFileOf: parts & Part.cacheFile != 0 ? (database, tablespace) : nil)
        }
        if commits, parts & Part.forcesSync != 0 { text += "; sync" }
        if parts & Part.origin != 0 { try origin() }
        if !commits { try droppedStatistics("", &statistics) }
    }

    private typealias Items = (count: Int, bytes: RecordBytes)

    /// A count and so many elements; nil where the flag is not set.
    private mutating func part(
        _ parts: UInt32, _ flag: UInt32, size: Int
    ) throws(RecordCutShort) -> Items? {
        guard parts & flag != 0 else { return nil }
        return try items(Int(try main.i32()), size: size)
    }

    private mutating func items(_ count: Int, size: Int) throws(RecordCutShort) -> Items {
        guard count >= 0, count <= main.remaining / size else { throw RecordCutShort() }
        return (count, RecordBytes(try main.take(count * size)))
    }

    private static func statisticsBytes(_ major: Int) -> Int { major >= 18 ? 16 : 12 }

    private mutating func droppedRelations(_ label: String, _ items: inout Items?) throws(RecordCutShort) {
        guard var found = items, found.count > 0 else { return }
        text += "; \(label):"
        for _ in 0..<found.count { text += " " + path(try found.bytes.relation()) }
    }

    private mutating func droppedStatistics(_ label: String, _ items: inout Items?) throws(RecordCutShort) {
        guard var found = items, found.count > 0 else { return }
        text += "; \(label)dropped stats:"
        let isWide = major >= 18
        text += try Self.words(&found.bytes, found.count, size: Self.statisticsBytes(major)) {
            (bytes) throws(RecordCutShort) in
            let (kind, database) = (try bytes.i32(), try bytes.u32())
            let object = isWide ? try bytes.u64() : UInt64(try bytes.u32())
            return "\(kind)/\(database)/\(object)"
        }
    }

    private mutating func subtransactionList(_ count: Int, _ bytes: inout RecordBytes) throws(RecordCutShort) {
        guard count > 0 else { return }
        text += "; subxacts:"
        text += try Self.words(&bytes, count, size: 4) { (bytes) throws(RecordCutShort) in "\(try bytes.u32())" }
    }

    private mutating func origin() throws(RecordCutShort) {
        let lsn = try main.lsn()
        text += "; origin: node \(record.origin ?? 0), lsn \(lsn), at \(TimestampText.microseconds(try main.i64()))"
    }

    /// `xl_xact_prepare`, and behind it what a file in `pg_twophase` has.
    private mutating func describePrepare() throws(RecordCutShort) {
        try main.skip(12)
        let database = try main.u32()
        let time = try main.i64()
        try main.skip(4)
        let subtransactionCount = Int(try main.i32())
        let (commitCount, abortCount) = (Int(try main.i32()), Int(try main.i32()))
        var (commitStatisticsCount, abortStatisticsCount) = (0, 0)
        if major >= 15 { (commitStatisticsCount, abortStatisticsCount) = (Int(try main.i32()), Int(try main.i32())) }
        let messageCount = Int(try main.i32())
        let invalidatesCacheFile = try main.u8() != 0
        try main.align(2)
        let nameBytes = Int(try main.u16())
        try main.align(8)
        let originLSN = try main.lsn()
        let originTime = try main.i64()
        let name = printable(try main.take(nameBytes).prefix { $0 != 0 })
        try main.align(8)
        var subtransactions = try aligned(subtransactionCount, size: 4)
        var relations: (Items?, Items?) = (try aligned(commitCount, size: 12), try aligned(abortCount, size: 12))
        let size = Self.statisticsBytes(major)
        var statistics: (Items?, Items?) = (
            try aligned(commitStatisticsCount, size: size), try aligned(abortStatisticsCount, size: size)
        )
        var messages = try aligned(messageCount, size: 16)
        text += "gid \(name): \(TimestampText.microseconds(time))"
        try droppedRelations("rels(commit)", &relations.0)
        try droppedRelations("rels(abort)", &relations.1)
        try droppedStatistics("commit ", &statistics.0)
        try droppedStatistics("abort ", &statistics.1)
        try subtransactionList(subtransactions.count, &subtransactions.bytes)
        text += try Self.invalidations(
            messages.count, &messages.bytes, cacheFileOf: invalidatesCacheFile ? (database, 0) : nil)
        if let node = record.origin {
            text += "; origin: node \(node), lsn \(originLSN), at \(TimestampText.microseconds(originTime))"
        }
    }

    /// Elements of the two-phase state: each kind begins at a multiple of 8.
    private mutating func aligned(_ count: Int, size: Int) throws(RecordCutShort) -> Items {
        let found = try items(count, size: size)
        try main.align(8)
        return found
    }

    // MARK: - Standbys

    mutating func describeStandby() throws(RecordCutShort) {
        switch record.operation {
        case 0x00:
            let count = Int(try main.i32())
            guard count >= 0, count <= main.remaining / 12 else { throw RecordCutShort() }
            for index in 0..<count {
                text += "\(index == 0 ? "" : " ")xid \(try main.u32()) db \(try main.u32()) rel \(try main.u32())"
            }
        case 0x10: try describeRunningTransactions()
        case 0x20:
            let (database, tablespace) = (try main.u32(), try main.u32())
            let invalidatesCacheFile = try main.u8() != 0
            try main.align(4)
            text += try Self.invalidations(
                Int(try main.i32()), &main, cacheFileOf: invalidatesCacheFile ? (database, tablespace) : nil)
        default: break
        }
    }

    private mutating func describeRunningTransactions() throws(RecordCutShort) {
        let (count, subtransactionCount) = (Int(try main.i32()), Int(try main.i32()))
        let overflowed = try main.u8() != 0
        try main.align(4)
        let (next, oldest) = (try main.u32(), try main.u32())
        text += "nextXid \(next) latestCompletedXid \(try main.u32()) oldestRunningXid \(oldest)"
        if count != 0 {
            text += "; \(count) xacts:"
            text += try Self.words(&main, count, size: 4) { (bytes) throws(RecordCutShort) in "\(try bytes.u32())" }
        }
        if overflowed { text += "; subxid overflowed" }
        if subtransactionCount != 0 {
            text += "; \(subtransactionCount) subxacts:"
            text += try Self.words(&main, subtransactionCount, size: 4) { (bytes) throws(RecordCutShort) in
                "\(try bytes.u32())"
            }
        }
    }

    /// Messages about what caches must forget.
    ///
    /// Source: PostgreSQL's `src/include/storage/sinval.h`.
    static func invalidations(
        _ count: Int, _ bytes: inout RecordBytes, cacheFileOf place: (database: UInt32, tablespace: UInt32)? = nil
    ) throws(RecordCutShort) -> String {
        guard count != 0 else { return "" }
        var text = ""
        if let place {
            text += "; relcache init file inval dbid \(place.database) tsid \(place.tablespace)"
        }
        text += "; inval msgs:"
        return text
            + (try words(&bytes, count, size: 16) { (bytes) throws(RecordCutShort) in
                let kind = Int8(bitPattern: try bytes.u8())
                try bytes.skip(3)
                let database = try bytes.u32()
                let object = try bytes.u32()
                try bytes.skip(4)
                switch kind {
                case 0...: return "catcache \(kind)"
                case -1: return "catalog \(object)"
                case -2: return "relcache \(object)"
                case -3: return "smgr"
                case -4: return "relmap db \(database)"
                case -5: return "snapshot \(object)"
                case -6: return "relsync \(object)"
                default: return "unrecognized id \(kind)"
                }
            })
    }
}
