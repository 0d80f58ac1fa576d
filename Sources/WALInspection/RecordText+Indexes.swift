// The other kinds of indexes.

import PostgresFormat

extension RecordTextWriter {
    mutating func describeHash() throws(RecordCutShort) {
        switch record.operation {
        case 0x00:
            let tuples = try double()
            try main.skip(4)  // the hash function
            text += "num_tuples \(Self.number(tuples)), fillfactor \(try main.u16())"
        case 0x10: text += "bmsize \(try main.u16())"
        case 0x20: text += "off \(try main.u16())"
        case 0x30: text += "bmsize \(try main.u16()), bmpage_found \(Self.letter(try main.u8() != 0))"
        case 0x40:
            text += "new_bucket \(try main.u32())"
            try main.skip(4)  // flags of the two buckets
            let flags = try main.u8()
            text += ", meta_page_masks_updated \(Self.letter(flags & 1 != 0))"
            text += ", issplitpoint_changed \(Self.letter(flags & 2 != 0))"
        case 0x60: text += "old_bucket_flag \(try main.u16()), new_bucket_flag \(try main.u16())"
        case 0x70: text += "ntups \(try main.u16()), is_primary \(Self.letter(try main.u8() != 0))"
        case 0x80:
            text += "prevblkno \(try main.u32()), nextblkno \(try main.u32()), ntups \(try main.u16())"
            text += ", is_primary \(Self.letter(try main.u8() != 0))"
        case 0x90:
            text += "clear_dead_marking \(Self.letter(try main.u8() != 0))"
            text += ", is_primary \(Self.letter(try main.u8() != 0))"
        case 0xB0: text += "ntuples \(Self.number(try double()))"
        case 0xC0:
            let horizon = try main.u32()
            let count = major >= 16 ? Int32(try main.u16()) : try main.i32()
            text += "ntuples \(count), snapshotConflictHorizon \(horizon)"
            try catalogFlag(", isCatalogRel ")
        default: break
        }
    }

    private mutating func double() throws(RecordCutShort) -> Double { Double(bitPattern: try main.u64()) }

    /// A count that PostgreSQL keeps as a floating-point number.
    private static func number(_ value: Double) -> String { Int64(exactly: value).map { "\($0)" } ?? "\(value)" }

    // MARK: - GIN

    private enum GinFlag {
        static let data: UInt16 = 1
        static let leaf: UInt16 = 2
        static let root: UInt16 = 4
    }

    mutating func describeGin() throws(RecordCutShort) {
        switch record.operation {
        case 0x20:
            let flags = try main.u16()
            describeGinPlace(flags)
            if flags & GinFlag.leaf == 0 {
                text += " children: \(try main.splitBlock())/\(try main.splitBlock())"
            }
            guard !describeImage(), var data = blockData else { return }
            if flags & GinFlag.data == 0 {
                try data.skip(2)
                text += " isdelete: \(Self.letter(try data.u8() != 0))"
            } else if flags & GinFlag.leaf != 0 {
                try describeSegments(&data)
            } else {
                try data.skip(2)
                text += " pitem: \(try data.splitBlock())-\(try data.splitBlock())/\(try data.u16())"
            }
        case 0x30:
            try main.skip(24)
            let flags = try main.u16()
            text += "isrootsplit: \(Self.letter(flags & GinFlag.root != 0)) "
            describeGinPlace(flags)
        case 0x90: if !describeImage(), var data = blockData { try describeSegments(&data) }
        case 0x80:
            try main.skip(Self.ginMetaBytes)
            text += "ndeleted: \(try main.i32())"
        default: break
        }
    }

    private static let ginMetaBytes = 56

    private mutating func describeGinPlace(_ flags: UInt16) {
        text += "isdata: \(Self.letter(flags & GinFlag.data != 0)) isleaf: \(Self.letter(flags & GinFlag.leaf != 0))"
    }

    /// True where block 0 has an image: it says all there is.
    private mutating func describeImage() -> Bool {
        guard let image = record.block(0)?.image else { return false }
        text += text.isEmpty ? "" : " "
        text += image.applies ? "(full page image)" : "(full page image, for WAL verification)"
        return true
    }

    /// What is done to the posting lists of a page.
    private mutating func describeSegments(_ data: inout RecordBytes) throws(RecordCutShort) {
        let count = Int(try data.u16())
        text += text.isEmpty ? "\(count) segments:" : " \(count) segments:"
        for _ in 0..<count {
            let (segment, action) = (try data.u8(), try data.u8())
            text += " \(segment) "
            switch action {
            case 1: text += "(delete)"
            case 2, 3:
                text += action == 2 ? "(insert)" : "(replace)"
                try data.skip(6)
                let bytes = Int(try data.u16())
                try data.skip(bytes + bytes % 2)
            case 4:
                let items = Int(try data.u16())
                text += "(add \(items) items)"
                try data.skip(items * 6)
            default:
                text += "unknown action \(action) ???"
                return
            }
        }
    }

    // MARK: - GiST

    mutating func describeGist() throws(RecordCutShort) {
        switch record.operation {
        case 0x10:
            text += "delete: snapshotConflictHorizon \(try main.u32()), nitems: \(try main.u16())"
            try catalogFlag(", isCatalogRel ")
        case 0x20:
            text += "rel \(try main.relation()); blk \(try main.u32())"
            text += "; snapshotConflictHorizon \(Self.fullXid(try main.u64()))"
            try catalogFlag(", isCatalogRel ")
        case 0x30:
            try main.skip(18)
            text += "page_split: splits to \(try main.u16()) pages"
        case 0x60: text += "deleteXid \(Self.fullXid(try main.u64())); downlink \(try main.u16())"
        default: break
        }
    }

    // MARK: - SP-GiST

    mutating func describeSPGist() throws(RecordCutShort) {
        switch record.operation {
        case 0x10:
            let flags = [(try main.u8() != 0, "newpage"), (try main.u8() != 0, "nulls")]
            text += "off: \(try main.u16()), headoff: \(try main.u16()), parentoff: \(try main.u16())"
            text += ", nodeI: \(try main.u16())" + Self.marks(flags)
        case 0x20:
            text += "nmoves: \(try main.u16())"
            let flags = [
                (try main.u8() != 0, "newpage"), (try main.u8() != 0, "replacedead"), (try main.u8() != 0, "nulls"),
            ]
            try main.align(2)
            text += ", parentoff: \(try main.u16()), nodeI: \(try main.u16())" + Self.marks(flags)
        case 0x30:
            text += "off: \(try main.u16()), newoff: \(try main.u16())"
            let isNewPage = try main.u8() != 0
            text += ", parentBlk: \(Int8(bitPattern: try main.u8())), parentoff: \(try main.u16())"
            text += ", nodeI: \(try main.u16())" + Self.marks([(isNewPage, "newpage")])
        case 0x40:
            text += "prefixoff: \(try main.u16()), postfixoff: \(try main.u16())"
            text += Self.marks([(try main.u8() != 0, "newpage"), (try main.u8() != 0, "same")])
        case 0x50:
            let isRoot = try main.u8() != 0
            try main.align(2)
            text += "ndelete: \(try main.u16()), ninsert: \(try main.u16())"
            try main.skip(2)  // which pages are new
            text += ", inneroff: \(try main.u16())"
            try main.skip(1)
            let hasNulls = try main.u8() != 0
            let isParent = try main.u8() != 0
            try main.align(2)
            text += ", parentoff: \(try main.u16()), nodeI: \(try main.u16())"
            text += Self.marks([(isParent, "innerIsParent"), (hasNulls, "nulls"), (isRoot, "isRootSplit")])
        case 0x60:
            text += "ndead: \(try main.u16()), nplaceholder: \(try main.u16()), nmove: \(try main.u16())"
            text += ", nchain: \(try main.u16())"
        case 0x70: text += "ndelete: \(try main.u16())"
        case 0x80:
            text += "ntoplaceholder: \(try main.u16()), firstplaceholder: \(try main.u16())"
            text += ", snapshotConflictHorizon: \(try main.u32())"
            try catalogFlag()
        default: break
        }
    }

    /// ` (newpage) (nulls)`
    private static func marks(_ flags: [(isSet: Bool, name: String)]) -> String {
        flags.filter(\.isSet).map { " (\($0.name))" }.joined()
    }

    // MARK: - BRIN

    mutating func describeBRIN() throws(RecordCutShort) {
        switch record.operation & 0x70 {
        case 0x00:
            let pages = try main.u32()
            text += "v\(try main.u16()) pagesPerRange \(pages)"
        case 0x10:
            text += "heapBlk \(try main.u32()) pagesPerRange \(try main.u32()) offnum \(try main.u16())"
        case 0x20:
            let old = try main.u16()
            try main.align(4)
            text += "heapBlk \(try main.u32()) pagesPerRange \(try main.u32()) old offnum \(old)"
            text += ", new offnum \(try main.u16())"
        case 0x30: text += "offnum \(try main.u16())"
        case 0x40: text += "targetBlk \(try main.u32())"
        case 0x50:
            text += "pagesPerRange \(try main.u32()), heapBlk \(try main.u32()), page offset \(try main.u16())"
        default: break
        }
    }
}
