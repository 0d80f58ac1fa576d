// Tables.

import PostgresFormat

extension RecordTextWriter {
    mutating func describeHeap() throws(RecordCutShort) {
        switch record.operation & 0x70 {
        case 0x00: text += "off: \(try main.u16()), flags: \(Self.hexadecimal(try main.u8()))"
        case 0x10, 0x60:
            text += "xmax: \(try main.u32()), off: \(try main.u16()), infobits: \(Self.infobits(try main.u8()))"
            text += ", flags: \(Self.hexadecimal(try main.u8()))"
        case 0x20, 0x40:
            text += "old_xmax: \(try main.u32()), old_off: \(try main.u16())"
            text += ", old_infobits: \(Self.infobits(try main.u8())), flags: \(Self.hexadecimal(try main.u8()))"
            text += ", new_xmax: \(try main.u32()), new_off: \(try main.u16())"
        case 0x30:
            try main.skip(4)  // the database
            let count = try main.u32()
            let flags = try main.u8()
            try main.align(4)
            let names = [(UInt8(1), "CASCADE"), (2, "RESTART_SEQS")].filter { flags & $0.0 != 0 }.map(\.1)
            text += "flags: [\(names.joined(separator: ", "))], nrelids: \(count), relids: "
            text += try Self.list(&main, Int(count), size: 4) { (bytes) throws(RecordCutShort) in "\(try bytes.u32())" }
        case 0x50: text += "off: \(try main.u16())"
        case 0x70:
            text += "off: \(try main.u16())"
            guard major >= 18 else { return }
            try main.align(4)
            let (database, tablespace) = (try main.u32(), try main.u32())
            let invalidatesCacheFile = try main.u8() != 0
            try main.align(4)
            text += try Self.invalidations(
                Int(try main.i32()), &main, cacheFileOf: invalidatesCacheFile ? (database, tablespace) : nil)
        default: break
        }
    }

    mutating func describeHeap2() throws(RecordCutShort) {
        switch record.operation & 0x70 {
        case 0x00:
            text += "mapped xid: \(try main.u32()), rel: \(try main.u32())/\(try main.u32())"
            try main.align(8)
            text += ", offset: \(try main.i64()), nmappings: \(try main.u32())"
            try main.align(8)
            text += ", start: \(try main.lsn())"
        case 0x10, 0x20, 0x30:
            if major >= 17 { try describePrune() } else { try describePruneBefore17() }
        case 0x40:
            text += "snapshotConflictHorizon: \(try main.u32()), flags: \(Self.hexadecimal(try main.u8()))"
        case 0x50:
            let flags = try main.u8()
            try main.align(2)
            let count = try main.u16()
            text += "ntuples: \(count), flags: \(Self.hexadecimal(flags))"
            // Those of a new page count from 1.
            if record.operation & 0x80 == 0, blockData != nil {
                text += ", offsets: "
                text += try Self.offsets(&main, Int(count))
            }
        case 0x60:
            text += "xmax: \(try main.u32()), off: \(try main.u16()), infobits: \(Self.infobits(try main.u8()))"
            text += ", flags: \(Self.hexadecimal(try main.u8()))"
        case 0x70:
            try main.skip(4)  // the top-level transaction
            let commands = (try main.u32(), try main.u32(), try main.u32())
            text += "rel: \(try main.relation()), tid: \(try main.splitBlock())/\(try main.u16())"
            text += ", cmin: \(commands.0), cmax: \(commands.1), combo: \(commands.2)"
        default: break
        }
    }

    /// `XLHL_…` of PostgreSQL's `src/include/access/heapam_xlog.h`.
    private static func infobits(_ bits: UInt8) -> String {
        let names = ["IS_MULTI", "LOCK_ONLY", "EXCL_LOCK", "KEYSHR_LOCK", "KEYS_UPDATED"]
        return "["
            + names.enumerated().filter { bits & 1 << UInt8($0.offset) != 0 }.map(\.element)
            .joined(separator: ", ") + "]"
    }

    // MARK: - Pruning and freezing

    /// `XLHP_…` of the same file.
    private enum PruneFlag {
        static let catalog: UInt8 = 0x02
        static let horizon: UInt8 = 0x08
        static let plans: UInt8 = 0x10
        static let redirections: UInt8 = 0x20
        static let dead: UInt8 = 0x40
        static let unused: UInt8 = 0x80
    }

    private mutating func describePrune() throws(RecordCutShort) {
        try main.skip(1)  // the reason, which the operation tells
        let flags = try main.u8()
        if flags & PruneFlag.horizon != 0 { text += "snapshotConflictHorizon: \(try main.u32()), " }
        text += "isCatalogRel: \(Self.letter(flags & PruneFlag.catalog != 0))"
        guard var data = blockData else { return }
        var planCount = 0
        if flags & PruneFlag.plans != 0 {
            planCount = Int(try data.u16())
            try data.align(4)
        }
        let plans = RecordBytes(try data.take(planCount * Self.planBytes))
        let redirected = try pruneItems(flags, PruneFlag.redirections, &data, size: 4)
        let dead = try pruneItems(flags, PruneFlag.dead, &data, size: 2)
        let unused = try pruneItems(flags, PruneFlag.unused, &data, size: 2)
        text += ", nplans: \(planCount), nredirected: \(redirected.count), ndead: \(dead.count)"
        text += ", nunused: \(unused.count)"
        if planCount > 0 {
            text += ", plans: "
            try freezePlans(planCount, plans, offsets: &data)
        }
        try items("redirected", redirected, size: 4, Self.redirection)
        try items("dead", dead, size: 2, Self.offset)
        try items("unused", unused, size: 2, Self.offset)
    }

    private typealias PruneItems = (count: Int, bytes: RecordBytes)

    private func pruneItems(
        _ flags: UInt8, _ flag: UInt8, _ data: inout RecordBytes, size: Int
    ) throws(RecordCutShort) -> PruneItems {
        let count = flags & flag != 0 ? Int(try data.u16()) : 0
        return (count, RecordBytes(try data.take(count * size)))
    }

    private mutating func items(
        _ label: String, _ items: PruneItems, size: Int,
        _ element: (inout RecordBytes) throws(RecordCutShort) -> String
    ) throws(RecordCutShort) {
        guard items.count > 0 else { return }
        text += ", \(label): "
        var bytes = items.bytes
        text += try Self.list(&bytes, items.count, size: size, element)
    }

    private static func offset(_ bytes: inout RecordBytes) throws(RecordCutShort) -> String { "\(try bytes.u16())" }

    private static func redirection(_ bytes: inout RecordBytes) throws(RecordCutShort) -> String {
        "\(try bytes.u16())->\(try bytes.u16())"
    }

    private static let planBytes = 12

    /// Plans, and behind all of them the tuples of one after the other.
    private mutating func freezePlans(
        _ count: Int, _ plans: RecordBytes, offsets: inout RecordBytes
    ) throws(RecordCutShort) {
        var plans = plans
        text += "["
        for index in 0..<count {
            let (xmax, infomask2, infomask) = (try plans.u32(), try plans.u16(), try plans.u16())
            try plans.skip(2)
            let tuples = try plans.u16()
            text += index > 0 ? ", " : ""
            text += "{ xmax: \(xmax), infomask: \(infomask), infomask2: \(infomask2), ntuples: \(tuples), offsets: "
            text += try Self.offsets(&offsets, Int(tuples))
            text += " }"
        }
        text += "]"
    }

    private mutating func describePruneBefore17() throws(RecordCutShort) {
        switch record.operation {
        case 0x10:
            let (horizon, redirectedCount, deadCount) = (try main.u32(), try main.u16(), try main.u16())
            text += "snapshotConflictHorizon: \(horizon), nredirected: \(redirectedCount), ndead: \(deadCount)"
            try catalogFlag()
            guard var data = blockData else { return }
            let redirected = (Int(redirectedCount), RecordBytes(try data.take(Int(redirectedCount) * 4)))
            let dead = (Int(deadCount), RecordBytes(try data.take(Int(deadCount) * 2)))
            let unusedCount = data.remaining / 2
            text += ", nunused: \(unusedCount)"
            try items("redirected", redirected, size: 4, Self.redirection)
            try items("dead", dead, size: 2, Self.offset)
            try items("unused", (unusedCount, data), size: 2, Self.offset)
        case 0x20:
            let count = Int(try main.u16())
            text += "nunused: \(count)"
            if let data = blockData { try items("unused", (count, data), size: 2, Self.offset) }
        case 0x30:
            text += "snapshotConflictHorizon: \(try main.u32())"
            let count = Int(try main.u16())
            text += ", \(major >= 16 ? "nplans" : "ntuples"): \(count)"
            try catalogFlag()
            guard var data = blockData else { return }
            text += ", plans: "
            if major >= 16 {
                let plans = RecordBytes(try data.take(count * Self.planBytes))
                try freezePlans(count, plans, offsets: &data)
            } else {
                text += try Self.list(&data, count, size: Self.planBytes) { (bytes) throws(RecordCutShort) in
                    let (xmax, offset) = (try bytes.u32(), try bytes.u16())
                    let (infomask2, infomask) = (try bytes.u16(), try bytes.u16())
                    try bytes.skip(2)
                    return "{ xmax: \(xmax), infomask: \(infomask), infomask2: \(infomask2), offset: \(offset) }"
                }
            }
        default: break
        }
    }
}
