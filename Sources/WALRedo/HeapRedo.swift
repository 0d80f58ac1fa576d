import PostgresFormat

/// Redo of the resource manager Heap.
///
/// Source: PostgreSQL's `src/backend/access/heap/heapam.c` (from 18 on `heapam_xlog.c`), `heap_redo`, and
/// `src/include/access/heapam_xlog.h`.
struct HeapRedo {
    let record: WALRecord
    let block: WALBlockReference
    let page: RedoPage

    enum Operation {
        static let mask: UInt8 = 0x70
        static let insert: UInt8 = 0x00
        static let delete: UInt8 = 0x10
        static let update: UInt8 = 0x20
        static let truncate: UInt8 = 0x30
        static let hotUpdate: UInt8 = 0x40
        static let confirm: UInt8 = 0x50
        static let lock: UInt8 = 0x60
        static let inplace: UInt8 = 0x70
    }

    /// - Returns: Whether the page was changed.
    func redo() throws(RedoFault) -> Bool {
        // Since the minor releases of August 2026 a record names the page of the visibility map that it clears.
        if block.fork == .visibilityMap { return try VisibilityChange.applyAll(of: record, to: page, block.block) }
        let operation = record.info & Operation.mask
        switch operation {
        case Operation.insert: try insert()
        case Operation.delete: try delete()
        case Operation.update: try update(isHot: false)
        case Operation.hotUpdate: try update(isHot: true)
        case Operation.confirm: try confirm()
        case Operation.lock: try lock()
        case Operation.inplace: try inplace()
        default: throw RedoFault("its operation \(operation) changes no page")
        }
        return true
    }

    // MARK: - Operations

    private func insert() throws(RedoFault) {
        let main = RecordData(record.mainData)
        let offset = try main.load(0, UInt16.self)
        let flags = try main.load(2, UInt8.self)
        if block.initializes { page.initialize(specialSize: 0) }
        var data = RecordData(block.data)
        let header = try StoredTupleHeader(&data)
        let start = try page.makeRoom(HeapTuple.headerBytes + data.count, at: Int(offset), overwrites: true)
        header.write(page, start, xmin: record.xid, block: block.block, offset: offset)
        copy(data.rest, start + HeapTuple.headerBytes)
        if flags & Flag.clearsAllVisible != 0 { page.flags.remove(.allVisible) }
        if flags & Flag.setsAllVisible != 0 { page.flags.insert(.allVisible) }
    }

    private enum Flag {
        static let clearsAllVisible: UInt8 = 0x01
        static let setsAllVisible: UInt8 = 0x20
        static let deletesSpeculative: UInt8 = 0x08
        static let movesPartition: UInt8 = 0x10
        // Of updates.
        static let newClearsAllVisible: UInt8 = 0x02
        static let hasPrefix: UInt8 = 0x20
        static let hasSuffix: UInt8 = 0x40
    }

    private func delete() throws(RedoFault) {
        let main = RecordData(record.mainData)
        let (xmax, offset) = (try main.load(0, UInt32.self), try main.load(4, UInt16.self))
        let (infobits, flags) = (try main.load(6, UInt8.self), try main.load(7, UInt8.self))
        let tuple = try HeapTuple(page, Int(offset))
        tuple.infomask2 &= ~HeapTuple.Mask2.hotUpdated
        tuple.setLockBits(infobits)
        if flags & Flag.deletesSpeculative != 0 { tuple.xmin = 0 } else { tuple.xmax = xmax }
        tuple.clearCommand()
        setPrunable()
        if flags & Flag.clearsAllVisible != 0 { page.flags.remove(.allVisible) }
        if flags & Flag.movesPartition != 0 {
            tuple.setCtid(block: .max, offset: 0xFFFD)
        } else {
            tuple.setCtid(block: block.block, offset: offset)
        }
    }

    private func update(isHot: Bool) throws(RedoFault) {
        let main = RecordData(record.mainData)
        let flags = try main.load(7, UInt8.self)
        let oldOffset = try main.load(4, UInt16.self)
        let newOffset = try main.load(12, UInt16.self)
        guard let newBlock = record.block(0)?.block else { throw RedoFault("it has no new page") }
        let isSamePage = record.block(1).map { $0.fork != .main } ?? true
        if block.id == 1 || isSamePage {
            let tuple = try HeapTuple(page, Int(oldOffset))
            if isHot {
                tuple.infomask2 |= HeapTuple.Mask2.hotUpdated
            } else {
                tuple.infomask2 &= ~HeapTuple.Mask2.hotUpdated
            }
            tuple.setLockBits(try main.load(6, UInt8.self))
            tuple.xmax = try main.load(0, UInt32.self)
            tuple.clearCommand()
            tuple.setCtid(block: newBlock, offset: newOffset)
            setPrunable()
            if flags & Flag.clearsAllVisible != 0 { page.flags.remove(.allVisible) }
        }
        guard block.id == 0 else { return }
        if block.initializes { page.initialize(specialSize: 0) }
        try addNewVersion(
            flags, old: isSamePage ? oldOffset : nil, new: newOffset, xmax: try main.load(8, UInt32.self))
        if flags & Flag.newClearsAllVisible != 0 { page.flags.remove(.allVisible) }
    }

    /// Beginning and end of the new version may be those of the old one, on the same page.
    private func addNewVersion(_ flags: UInt8, old: UInt16?, new: UInt16, xmax: UInt32) throws(RedoFault) {
        var data = RecordData(block.data)
        let prefixLength = flags & Flag.hasPrefix != 0 ? Int(try data.read(UInt16.self)) : 0
        let suffixLength = flags & Flag.hasSuffix != 0 ? Int(try data.read(UInt16.self)) : 0
        let header = try StoredTupleHeader(&data)
        let ownLength = data.count
        guard prefixLength + suffixLength > 0 else {
            let start = try page.makeRoom(HeapTuple.headerBytes + ownLength, at: Int(new), overwrites: true)
            header.write(page, start, xmin: record.xid, xmax: xmax, block: block.block, offset: new)
            return copy(data.rest, start + HeapTuple.headerBytes)
        }
        guard let old else { throw RedoFault("its old version is on another page, and the new one refers to it") }
        let tuple = try HeapTuple(page, Int(old))
        guard prefixLength <= tuple.length - tuple.headerSize, suffixLength <= tuple.length else {
            throw RedoFault("its new version takes more of the old one than there is")
        }
        let prefixStart = tuple.start + tuple.headerSize
        let suffixStart = tuple.start + tuple.length - suffixLength
        let length = HeapTuple.headerBytes + ownLength + prefixLength + suffixLength
        let start = try page.makeRoom(length, at: Int(new), overwrites: true)
        header.write(page, start, xmin: record.xid, xmax: xmax, block: block.block, offset: new)
        var position = start + HeapTuple.headerBytes
        if prefixLength > 0 {
            // The bitmap of nulls, padding and all, comes before.
            let bitmap = try data.read(Int(header.headerSize) - HeapTuple.headerBytes)
            copy(bitmap, position)
            position += bitmap.count
            move(prefixStart, position, prefixLength)
            position += prefixLength
        }
        copy(data.rest, position)
        move(suffixStart, position + data.count, suffixLength)
    }

    private func confirm() throws(RedoFault) {
        let offset = try RecordData(record.mainData).load(0, UInt16.self)
        try HeapTuple(page, Int(offset)).setCtid(block: block.block, offset: offset)
    }

    private func lock() throws(RedoFault) {
        let main = RecordData(record.mainData)
        let offset = try main.load(4, UInt16.self)
        let tuple = try HeapTuple(page, Int(offset))
        tuple.setLockBits(try main.load(6, UInt8.self))
        if tuple.isLockedOnly {
            tuple.infomask2 &= ~HeapTuple.Mask2.hotUpdated
            tuple.setCtid(block: block.block, offset: offset)
        }
        tuple.xmax = try main.load(0, UInt32.self)
        tuple.clearCommand()
    }

    private func inplace() throws(RedoFault) {
        let tuple = try HeapTuple(page, Int(try RecordData(record.mainData).load(0, UInt16.self)))
        guard tuple.length - tuple.headerSize == block.data.count else {
            throw RedoFault(
                "it overwrites \(block.data.count) bytes of a tuple with \(tuple.length - tuple.headerSize)")
        }
        copy(block.data, tuple.start + tuple.headerSize)
    }

    // MARK: - Bytes

    /// - Precondition: There is room, which `makeRoom` has made.
    private func copy(_ source: UnsafeRawBufferPointer, _ start: Int) {
        if let bytes = source.baseAddress { (page.bytes + start).copyMemory(from: bytes, byteCount: source.count) }
    }

    private func move(_ from: Int, _ to: Int, _ count: Int) {
        (page.bytes + to).copyMemory(from: page.bytes + from, byteCount: count)
    }

    /// `PageSetPrunable`.
    private func setPrunable() {
        let known = page.pruneXid
        if known == 0 || Int32(bitPattern: record.xid &- known) < 0 { page.pruneXid = record.xid }
    }
}
