import PostgresFormat

/// Redo of the resource manager BRIN.
///
/// Source: PostgreSQL's `src/backend/access/brin/brin_xlog.c` and `src/include/access/brin_xlog.h`.
struct BRINRedo {
    let record: WALRecord
    let block: WALBlockReference
    let page: RedoPage

    private enum Operation {
        static let mask: UInt8 = 0x70
        static let createIndex: UInt8 = 0x00
        static let insert: UInt8 = 0x10
        static let update: UInt8 = 0x20
        static let samePageUpdate: UInt8 = 0x30
        static let extendRevmap: UInt8 = 0x40
        static let desummarize: UInt8 = 0x50
    }

    /// What is in the special space: flags and the page's type.
    enum Special {
        static let size = 8
        static let start = Page.size - size
        static let flags = start + 4
        static let type = start + 6
        static let isBeingEvacuated: UInt16 = 0x01
        static let meta: UInt16 = 0xF091
        static let revmap: UInt16 = 0xF092
        static let regular: UInt16 = 0xF093
    }

    func redo() throws(RedoFault) {
        if !block.initializes, page.special != Special.start { throw RedoFault("its page is none of a BRIN index") }
        let main = RecordData(record.mainData)
        switch (record.info & Operation.mask, block.id) {
        case (Operation.createIndex, 0): try createMeta(main)
        case (Operation.insert, _): try insert(main, at: 0)
        case (Operation.update, 2): try page.deleteKeepingLines(Int(try main.load(0, UInt16.self)))
        case (Operation.update, _): try insert(main, at: 4)
        case (Operation.samePageUpdate, 0):
            try page.overwriteItem(Int(try main.load(0, UInt16.self)), with: block.data)
        case (Operation.extendRevmap, 0):
            page.store(try main.load(0, UInt32.self), Meta.lastRevmap)
            page.lower = Meta.end
        case (Operation.extendRevmap, 1): initialize(Special.revmap)
        case (Operation.desummarize, 0):
            try setRange(
                try main.load(4, UInt32.self), pagesPerRange: try main.load(0, UInt32.self), block: .max, offset: 0)
        case (Operation.desummarize, 1): try page.deleteKeepingLines(Int(try main.load(8, UInt16.self)))
        default: throw RedoFault("its operation \(record.info & Operation.mask) does not change block \(block.id)")
        }
    }

    private enum Meta {
        static let magic: UInt32 = 0xA810_9CFA
        static let lastRevmap = Page.headerSize + 12
        static let end = Page.headerSize + 16
    }

    private func initialize(_ type: UInt16) {
        page.initialize(specialSize: Special.size)
        page.store(type, Special.type)
    }

    private func createMeta(_ main: RecordData) throws(RedoFault) {
        initialize(Special.meta)
        page.store(Meta.magic, Page.headerSize)
        page.store(UInt32(try main.load(4, UInt16.self)), Page.headerSize + 4)
        page.store(try main.load(0, UInt32.self), Page.headerSize + 8)
        page.lower = Meta.end
    }

    /// - Parameter start: Of what the record says of the insertion, in its data.
    private func insert(_ main: RecordData, at start: Int) throws(RedoFault) {
        let offset = try main.load(start + 8, UInt16.self)
        if block.id == 0 {
            if block.initializes { initialize(Special.regular) }
            return try page.add(block.data, at: Int(offset), overwrites: true)
        }
        guard block.id == 1, let target = record.block(0) else { throw RedoFault("it has no page for its tuple") }
        try setRange(
            try main.load(start, UInt32.self), pagesPerRange: try main.load(start + 4, UInt32.self),
            block: target.block, offset: offset)
    }

    /// `REVMAP_PAGE_MAXITEMS`.
    private static let rangesOfPage: UInt32 = 1360
    private static let rangeBytes = 6

    /// Where the tuple of a range of heap blocks is.
    private func setRange(
        _ heapBlock: UInt32, pagesPerRange: UInt32, block: UInt32, offset: UInt16
    ) throws(RedoFault) {
        guard pagesPerRange > 0 else { throw RedoFault("its ranges have no pages") }
        let start = Page.headerSize + Int(heapBlock / pagesPerRange % Self.rangesOfPage) * Self.rangeBytes
        page.storeBlock(block, start)
        page.store(offset, start + 4)
    }
}
