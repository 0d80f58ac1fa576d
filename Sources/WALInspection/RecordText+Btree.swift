// B-trees.

import PostgresFormat

extension RecordTextWriter {
    mutating func describeBtree() throws(RecordCutShort) {
        switch record.operation {
        case 0x00, 0x10, 0x20, 0x50: text += "off: \(try main.u16())"
        case 0x30, 0x40:
            text += "level: \(try main.u32()), firstrightoff: \(try main.u16()), newitemoff: \(try main.u16())"
            text += ", postingoff: \(try main.u16())"
        case 0x60: text += "nintervals: \(try main.u16())"
        case 0x70:
            text += "snapshotConflictHorizon: \(try main.u32())"
            let (deleted, updated) = (try main.u16(), try main.u16())
            text += ", ndeleted: \(deleted), nupdated: \(updated)"
            try catalogFlag()
            try describeDeletions(deleted, updated)
        case 0x80, 0x90:
            text += "left: \(try main.u32()), right: \(try main.u32()), level: \(try main.u32())"
            try main.align(8)
            text += ", safexid: \(Self.fullXid(try main.u64())), leafleft: \(try main.u32())"
            text += ", leafright: \(try main.u32()), leaftopparent: \(try main.u32())"
        case 0xA0:
            try main.skip(4)  // the block, which a reference names
            text += "level: \(try main.u32())"
        case 0xB0:
            try main.skip(4)  // the downlink's place
            let (leaf, left, right) = (try main.u32(), try main.u32(), try main.u32())
            text += "topparent: \(try main.u32()), leaf: \(leaf), left: \(left), right: \(right)"
        case 0xC0:
            let (deleted, updated) = (try main.u16(), try main.u16())
            text += "ndeleted: \(deleted), nupdated: \(updated)"
            try describeDeletions(deleted, updated)
        case 0xD0:
            text += "rel: \(try main.relation())"
            try main.skip(4)  // the block
            text += ", snapshotConflictHorizon: \(Self.fullXid(try main.u64()))"
            try catalogFlag()
        case 0xE0:
            guard var meta = blockData else { return }
            try meta.skip(20)
            text += "last_cleanup_num_delpages: \(try meta.u32())"
        default: break
        }
    }

    /// Items that go, and posting lists that lose some of their rows.
    private mutating func describeDeletions(_ deleted: UInt16, _ updated: UInt16) throws(RecordCutShort) {
        guard var data = blockData else { return }
        text += ", deleted: "
        text += try Self.offsets(&data, Int(deleted))
        text += ", updated: ["
        var places = RecordBytes(try data.take(Int(updated) * 2))
        for index in 0..<Int(updated) {
            let count = Int(try data.u16())
            // Before the element, whose text is longer.
            text += (index > 0 ? ", " : "") + "{ off: \(try places.u16()), nptids: \(count), ptids: "
            text += try Self.offsets(&data, count)
            text += " }"
        }
        text += "]"
    }
}
