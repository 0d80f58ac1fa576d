import PostgresFormat

/// Redo of the resource manager Heap2.
///
/// Source: PostgreSQL's `src/backend/access/heap/heapam.c` (from 18 on `heapam_xlog.c`), `heap2_redo`, `pruneheap.c`, and
/// `src/include/access/heapam_xlog.h`.
struct Heap2Redo {
    let record: WALRecord
    let block: WALBlockReference
    let page: RedoPage
    let major: Int
    let logsHints: Bool

    enum Operation {
        static let rewrite: UInt8 = 0x00
        static let prune: UInt8 = 0x10
        static let vacuum: UInt8 = 0x20
        static let freezePage: UInt8 = 0x30
        static let visible: UInt8 = 0x40
        static let multiInsert: UInt8 = 0x50
        static let lockUpdated: UInt8 = 0x60
    }

    /// - Returns: Whether the page has the record's LSN from now on.
    func redo() throws(RedoFault) -> Bool {
        let operation = record.info & HeapRedo.Operation.mask
        if operation == Operation.visible { return try visible() }
        if block.fork == .visibilityMap { return try VisibilityChange.applyAll(of: record, to: page, block.block) }
        switch operation {
        // From 17 on the three are one, which says itself what it does.
        case Operation.prune: try major >= 17 ? pruneAndFreeze() : prune()
        case Operation.vacuum: try major >= 17 ? pruneAndFreeze() : vacuum()
        case Operation.freezePage: try major >= 17 ? pruneAndFreeze() : freezePage()
        case Operation.multiInsert: try multiInsert()
        case Operation.lockUpdated: try lockUpdated()
        default: throw RedoFault("its operation \(operation) changes no page")
        }
        return true
    }

    // MARK: - Rewriting

    /// Where the rows of a catalog went, for logical decoding; `xl_heap_rewrite_mapping`.
    static func appendMapping(_ record: WALRecord, to effects: inout [RecordEffect]) throws(RedoFault) {
        guard record.info & HeapRedo.Operation.mask == Operation.rewrite else { return }
        var main = RecordData(record.mainData)
        let mappedXid = try main.load(0, UInt32.self)
        let (database, relation) = (try main.load(4, UInt32.self), try main.load(8, UInt32.self))
        let (offset, start) = (try main.load(16, Int64.self), try main.load(32, UInt64.self))
        _ = try main.read(40)
        guard offset >= 0 else { throw RedoFault("its mappings lie at \(offset)") }
        func hex(_ value: UInt32, uppercase: Bool = false) -> String { String(value, radix: 16, uppercase: uppercase) }
        let position =
            hex(UInt32(start >> 32), uppercase: true) + "_" + hex(UInt32(truncatingIfNeeded: start), uppercase: true)
        let name = "map-\(hex(database))-\(hex(relation))-\(position)-\(hex(mappedXid))-\(hex(record.xid))"
        effects.append(.logicalMappingWritten(LogicalMapping(fileName: name, offset: offset, content: main.rest)))
    }

    // MARK: - Pruning

    private func prune() throws(RedoFault) {
        let main = RecordData(record.mainData)
        let redirected = Int(try main.load(4, UInt16.self))
        let dead = Int(try main.load(6, UInt16.self))
        var data = RecordData(block.data)
        try setLines(
            redirected: try data.readArray(redirected * 2), dead: try data.readArray(dead),
            unused: try data.readArray(data.count / 2))
        try page.repairFragmentation(truncates: major >= 15)
    }

    private func vacuum() throws(RedoFault) {
        var data = RecordData(block.data)
        let none = try data.readArray(0)
        let count = Int(try RecordData(record.mainData).load(0, UInt16.self))
        try setLines(redirected: none, dead: none, unused: try data.readArray(count))
        page.truncateLinePointers()
    }

    private enum PruneFlag {
        static let hasCleanupLock: UInt8 = 0x04
        static let hasFreezePlans: UInt8 = 0x10
        static let hasRedirections: UInt8 = 0x20
        static let hasDead: UInt8 = 0x40
        static let hasUnused: UInt8 = 0x80
    }

    /// Whether such a record frees space; from 17 on it may freeze alone, as another did before.
    static func movesItems(_ record: WALRecord, major: Int) throws(RedoFault) -> Bool {
        guard major >= 17 else { return record.info & HeapRedo.Operation.mask != Operation.freezePage }
        let flags = try RecordData(record.mainData).load(1, UInt8.self)
        return flags & (PruneFlag.hasRedirections | PruneFlag.hasDead | PruneFlag.hasUnused) != 0
    }

    private func pruneAndFreeze() throws(RedoFault) {
        let flags = try RecordData(record.mainData).load(1, UInt8.self)
        var data = RecordData(block.data)
        var plans = RecordData(UnsafeRawBufferPointer(start: nil, count: 0))
        if flags & PruneFlag.hasFreezePlans != 0 {
            let count = Int(try data.read(UInt16.self))
            _ = try data.read(2)
            plans = RecordData(try data.read(count * Self.planBytes))
        }
        func array(_ flag: UInt8, _ width: Int = 1) throws(RedoFault) -> Int16Array {
            guard flags & flag != 0 else { return try data.readArray(0) }
            return try data.readArray(Int(try data.read(UInt16.self)) * width)
        }
        let redirected = try array(PruneFlag.hasRedirections, 2)
        let dead = try array(PruneFlag.hasDead)
        let unused = try array(PruneFlag.hasUnused)
        if redirected.count + dead.count + unused.count > 0 {
            try setLines(redirected: redirected, dead: dead, unused: unused)
            if flags & PruneFlag.hasCleanupLock != 0 {
                try page.repairFragmentation(truncates: major >= 15)
            } else {
                page.truncateLinePointers()
            }
        }
        try freeze(plans, offsets: &data)
    }

    private func setLines(redirected: Int16Array, dead: Int16Array, unused: Int16Array) throws(RedoFault) {
        func check(_ offset: UInt16) throws(RedoFault) -> Int {
            guard offset >= 1, Int(offset) <= page.lineCount else {
                throw RedoFault("there is no item \(offset): the page has \(page.lineCount)")
            }
            return Int(offset)
        }
        for index in 0..<redirected.count / 2 {
            let target = try check(redirected[index * 2 + 1])
            page[line: try check(redirected[index * 2])] = LinePointer(.redirect, offset: target)
        }
        for index in 0..<dead.count { page[line: try check(dead[index])] = LinePointer(.dead) }
        for index in 0..<unused.count { page[line: try check(unused[index])] = .unused }
    }

    // MARK: - Freezing

    private static let planBytes = 12
    private static let frozenXid: UInt32 = 2

    private enum FreezeFlag {
        static let freezesXvac: UInt8 = 0x02
        static let clearsXvac: UInt8 = 0x04
    }

    private func freezePage() throws(RedoFault) {
        let count = Int(try RecordData(record.mainData).load(4, UInt16.self))
        var data = RecordData(block.data)
        if major >= 16 {
            return try freeze(RecordData(try data.read(count * Self.planBytes)), offsets: &data)
        }
        for _ in 0..<count {
            let plan = RecordData(try data.read(Self.planBytes))
            try freeze(
                try plan.load(4, UInt16.self), xmax: try plan.load(0, UInt32.self),
                infomask2: try plan.load(6, UInt16.self), infomask: try plan.load(8, UInt16.self),
                flags: try plan.load(10, UInt8.self))
        }
    }

    /// Each plan is for several tuples; their offsets come behind all plans.
    private func freeze(_ plans: RecordData, offsets: inout RecordData) throws(RedoFault) {
        var plans = plans
        while plans.count > 0 {
            let plan = RecordData(try plans.read(Self.planBytes))
            for _ in 0..<(try plan.load(10, UInt16.self)) {
                try freeze(
                    try offsets.read(UInt16.self), xmax: try plan.load(0, UInt32.self),
                    infomask2: try plan.load(4, UInt16.self), infomask: try plan.load(6, UInt16.self),
                    flags: try plan.load(8, UInt8.self))
            }
        }
    }

    private func freeze(
        _ offset: UInt16, xmax: UInt32, infomask2: UInt16, infomask: UInt16, flags: UInt8
    ) throws(RedoFault) {
        let tuple = try HeapTuple(page, Int(offset))
        tuple.xmax = xmax
        if flags & FreezeFlag.freezesXvac != 0 { tuple.cid = Self.frozenXid }
        if flags & FreezeFlag.clearsXvac != 0 { tuple.cid = 0 }
        tuple.infomask = infomask
        tuple.infomask2 = infomask2
    }

    // MARK: - Visibility

    private func visible() throws(RedoFault) -> Bool {
        guard block.id == 0 else {
            page.flags.insert(.allVisible)
            return logsHints
        }
        guard let heapBlock = record.block(1)?.block else { throw RedoFault("it has no page of the heap") }
        let bits = try RecordData(record.mainData).load(4, UInt8.self) & VisibilityChange.allBits
        if page.page.isNew { page.initialize(specialSize: 0) }
        let (byte, shift) = VisibilityChange.place(heapBlock)
        let old = page.load(byte, UInt8.self)
        guard old >> shift & VisibilityChange.allBits != bits else { return false }
        page.store(old | bits << shift, byte)
        return true
    }

    // MARK: - Tuples

    private func multiInsert() throws(RedoFault) {
        var main = RecordData(record.mainData)
        let flags = try main.read(UInt8.self)
        _ = try main.read(1)
        let count = Int(try main.read(UInt16.self))
        let offsets = block.initializes ? nil : try main.readArray(count)
        if block.initializes { page.initialize(specialSize: 0) }
        var data = RecordData(block.data)
        for index in 0..<count {
            // Each begins at an even place.
            if (block.data.count - data.count) & 1 != 0 { _ = try data.read(1) }
            let length = Int(try data.read(UInt16.self))
            let header = try StoredTupleHeader(&data)
            let content = try data.read(length)
            let offset = offsets?[index] ?? UInt16(truncatingIfNeeded: index + 1)
            let start = try page.makeRoom(HeapTuple.headerBytes + length, at: Int(offset), overwrites: true)
            header.write(page, start, xmin: record.xid, block: block.block, offset: offset)
            if let bytes = content.baseAddress {
                (page.bytes + start + HeapTuple.headerBytes).copyMemory(from: bytes, byteCount: length)
            }
        }
        if flags & 0x01 != 0 { page.flags.remove(.allVisible) }
        if flags & 0x20 != 0 { page.flags.insert(.allVisible) }
    }

    private func lockUpdated() throws(RedoFault) {
        let main = RecordData(record.mainData)
        let tuple = try HeapTuple(page, Int(try main.load(4, UInt16.self)))
        tuple.setLockBits(try main.load(6, UInt8.self))
        tuple.xmax = try main.load(0, UInt32.self)
    }
}
