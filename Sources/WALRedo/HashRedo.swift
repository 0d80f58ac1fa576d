import Glibc
import PostgresFormat

/// Redo of the resource manager Hash.
///
/// Source: PostgreSQL's `src/backend/access/hash/hash_xlog.c` and `src/include/access/hash_xlog.h`.
struct HashRedo {
    private let record: WALRecord
    private let block: WALBlockReference
    private let page: RedoPage
    private let hash: HashPage
    private let main: RecordData

    enum Operation {
        static let initMeta: UInt8 = 0x00
        static let initBitmap: UInt8 = 0x10
        static let insert: UInt8 = 0x20
        static let addOverflow: UInt8 = 0x30
        static let splitAllocate: UInt8 = 0x40
        static let splitComplete: UInt8 = 0x60
        static let moveContents: UInt8 = 0x70
        static let squeeze: UInt8 = 0x80
        static let delete: UInt8 = 0x90
        static let splitCleanup: UInt8 = 0xA0
        static let updateMeta: UInt8 = 0xB0
        static let vacuumOnePage: UInt8 = 0xC0
    }

    init(record: WALRecord, block: WALBlockReference, page: RedoPage) throws(RedoFault) {
        hash = block.initializes ? HashPage.make(page, flags: 0) : try HashPage(page)
        (self.record, self.block, self.page) = (record, block, page)
        main = RecordData(record.mainData)
    }

    /// - Returns: Whether the page was changed; others are named as they are locked.
    func redo() throws(RedoFault) -> Bool {
        switch (record.operation, block.id) {
        case (Operation.initMeta, 0): try makeMeta()
        case (Operation.initBitmap, 0), (Operation.addOverflow, 3): try makeBitmap(try main.load(0, UInt16.self))
        case (Operation.initBitmap, 1):
            let meta = try HashMeta(page)
            try meta.addMap(meta.maxBucket &+ 2)
        case (Operation.insert, 0):
            try page.add(block.data, at: Int(try main.load(0, UInt16.self)), overwrites: false)
        case (Operation.insert, 1): try HashMeta(page).tuples += 1
        case (Operation.addOverflow, 0):
            _ = HashPage.make(
                page, flags: HashPage.Flag.overflow, bucket: try RecordData(block.data).load(0, UInt32.self),
                previous: try number(1))
        case (Operation.addOverflow, 1): hash.next = try number(0)
        case (Operation.addOverflow, 2): try setBit(true)
        case (Operation.addOverflow, 4): try addOverflowToMeta()
        case (Operation.splitAllocate, 0), (Operation.splitComplete, 0), (Operation.splitComplete, 1):
            try changeRestored()
        case (Operation.splitAllocate, 1):
            let bucket = try main.load(0, UInt32.self)
            _ = HashPage.make(page, flags: try main.load(6, UInt16.self), bucket: bucket, previous: bucket)
        case (Operation.splitAllocate, 2): try addBucketToMeta()
        case (Operation.moveContents, 1): try addAll(try main.load(0, UInt16.self))
        case (Operation.moveContents, 2): try page.deleteItems(Int16Array(bytes: block.data).offsets)
        case (Operation.squeeze, 1):
            try addAll(try main.load(8, UInt16.self))
            if try main.load(11, UInt8.self) != 0 { hash.next = try main.load(4, UInt32.self) }
        case (Operation.squeeze, 2): _ = HashPage.make(page, flags: 0)
        case (Operation.squeeze, 3): hash.next = try main.load(4, UInt32.self)
        case (Operation.squeeze, 4): hash.previous = try main.load(0, UInt32.self)
        case (Operation.squeeze, 5): try setBit(false)
        case (Operation.squeeze, 6): try HashMeta(page).firstFree = try RecordData(block.data).load(0, UInt32.self)
        case (Operation.delete, 1):
            try page.deleteItems(Int16Array(bytes: block.data).offsets)
            if try main.load(0, UInt8.self) != 0 { hash.flags &= ~HashPage.Flag.hasDead }
        case (Operation.splitCleanup, 0): hash.flags &= ~HashPage.Flag.needsCleanup
        case (Operation.updateMeta, 0):
            try HashMeta(page).tuples = Double(bitPattern: try main.load(0, UInt64.self))
        case (Operation.vacuumOnePage, 0):
            try page.deleteItems(try dead().offsets)
            hash.flags &= ~HashPage.Flag.hasDead
        case (Operation.vacuumOnePage, 1): try HashMeta(page).tuples -= Double(try dead().count)
        case (Operation.moveContents, 0), (Operation.squeeze, 0), (Operation.delete, 0): return false
        default: throw RedoFault("its operation \(record.operation) changes no page \(block.id)")
        }
        return true
    }

    /// What is done to a page even where its image was restored: that has not the special space's new contents.
    func changeRestored() throws(RedoFault) {
        switch (record.operation, block.id) {
        case (Operation.splitAllocate, 0):
            hash.flags = try main.load(4, UInt16.self)
            hash.previous = try main.load(0, UInt32.self)
        case (Operation.splitComplete, 0): hash.flags = try main.load(0, UInt16.self)
        case (Operation.splitComplete, 1): hash.flags = try main.load(2, UInt16.self)
        default: break
        }
    }

    /// The block of another reference.
    private func number(_ id: UInt8) throws(RedoFault) -> UInt32 {
        guard let block = record.block(id) else { throw RedoFault("it has no block reference \(id)") }
        return block.block
    }

    // MARK: - The first page

    private func makeMeta() throws(RedoFault) {
        try HashMeta.make(
            page, tuples: Double(bitPattern: try main.load(0, UInt64.self)), procedure: try main.load(8, UInt32.self),
            fillFactor: try main.load(12, UInt16.self))
    }

    private func addOverflowToMeta() throws(RedoFault) {
        let meta = try HashMeta(page)
        meta.firstFree = try RecordData(block.data).load(0, UInt32.self)
        guard try main.load(2, UInt8.self) == 0 else { return }
        try meta.addSpare()
        if let map = record.block(3) {
            try meta.addMap(map.block)
            try meta.addSpare()
        }
    }

    private func addBucketToMeta() throws(RedoFault) {
        let meta = try HashMeta(page)
        let flags = try main.load(8, UInt8.self)
        var data = RecordData(block.data)
        meta.maxBucket = try main.load(0, UInt32.self)
        if flags & 0x01 != 0 {
            let low = try data.read(UInt32.self)
            meta.setMasks(low: low, high: try data.read(UInt32.self))
        }
        if flags & 0x02 != 0 {
            let point = try data.read(UInt32.self)
            try meta.setSplitPoint(point, spares: try data.read(UInt32.self))
        }
    }

    // MARK: - Bitmaps

    private func makeBitmap(_ size: UInt16) throws(RedoFault) {
        _ = HashPage.make(page, flags: HashPage.Flag.bitmap)
        guard Page.headerSize + Int(size) <= page.special else { throw RedoFault("a bitmap of \(size) bytes") }
        memset(page.bytes + Page.headerSize, 0xFF, Int(size))
        page.lower = Page.headerSize + Int(size)
    }

    /// Whether a page is in use.
    private func setBit(_ isSet: Bool) throws(RedoFault) {
        let index = Int(try RecordData(block.data).load(0, UInt32.self))
        let place = Page.headerSize + index / 8
        guard place < page.special else { throw RedoFault("its bitmap has no bit \(index)") }
        let bit = UInt8(1) << UInt8(index % 8)
        let old = page.load(place, UInt8.self)
        page.store(isSet ? old | bit : old & ~bit, place)
    }

    // MARK: - Tuples

    private func addAll(_ count: UInt16) throws(RedoFault) {
        var data = RecordData(block.data)
        let offsets = try data.readArray(Int(count))
        for index in 0..<offsets.count {
            try page.add(try IndexTuple.read(&data), at: Int(offsets[index]), overwrites: false)
        }
    }

    private func dead() throws(RedoFault) -> Int16Array {
        var data = main
        _ = try data.read(4)
        let count = Int(try data.read(UInt16.self))
        // Up to 15 the count has 32 bits; then a flag and padding are in their place.
        _ = try data.read(2)
        return try data.readArray(count)
    }
}
