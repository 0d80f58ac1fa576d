import Glibc
public import PostgresFormat

/// Makes equal what PostgreSQL does not log, or not exactly, in two versions of a page that are to be compared.
///
/// Source: PostgreSQL's `src/backend/access/common/bufmask.c` and the `mask` function of each resource manager.
public enum ConsistencyMask {
    /// Whether records of this manager carry images to compare with.
    public static func exists(for manager: ResourceManager) -> Bool {
        switch manager {
        case .heap, .heap2, .btree, .hash, .gin, .gist, .sequence, .spgist, .brin, .generic: true
        default: false
        }
    }

    /// Masks a page. One that is damaged is masked as far as can be.
    ///
    /// - Parameter block: Its number.
    public static func apply(_ manager: ResourceManager, _ page: RedoPage, block: UInt32) {
        // pd_lsn and pd_checksum
        memset(page.bytes, 0, 10)
        let isSane = (try? page.checkHeader()) != nil
        guard isSane else { return }
        switch manager {
        case .heap, .heap2:
            maskHints(page)
            maskUnused(page)
            maskTuples(page, block)
        case .btree:
            maskHints(page)
            maskUnused(page)
            maskBtree(page)
        case .hash:
            maskHints(page)
            maskUnused(page)
            maskHash(page)
        case .gist:
            maskHints(page)
            maskUnused(page)
            maskGiST(page)
        case .sequence, .generic: maskUnused(page)
        case .gin:
            maskHints(page)
            maskGIN(page)
        case .brin: maskBRIN(page)
        default:
            maskHints(page)
            maskUnused(page)
        }
    }

    private static func maskHints(_ page: RedoPage) {
        page.pruneXid = 0
        page.flags = []
    }

    private static func maskUnused(_ page: RedoPage) {
        memset(page.bytes + page.lower, 0, page.upper - page.lower)
    }

    private static func maskContent(_ page: RedoPage) {
        memset(page.bytes + Page.headerSize, 0, Page.size - Page.headerSize)
        (page.lower, page.upper) = (0, 0)
    }

    /// Items found dead by those who read.
    private static func maskLineStates(_ page: RedoPage) {
        for offset in 1...max(1, page.lineCount) where offset <= page.lineCount {
            let line = page[line: offset]
            page[line: offset] = LinePointer(.unused, offset: line.offset, length: line.length)
        }
    }

    private static func maskBtree(_ page: RedoPage) {
        guard let tree = try? BtreePage(page) else { return }
        if tree.flags & BtreePage.Flag.leaf != 0 { maskLineStates(page) }
        tree.flags &= ~(BtreePage.Flag.hasGarbage | BtreePage.Flag.splitEnd)
        tree.vacuumCycle = 0
    }

    private static func maskHash(_ page: RedoPage) {
        guard let hash = try? HashPage(page) else { return }
        switch hash.flags & HashPage.Flag.kinds {
        case 0: maskContent(page)
        case HashPage.Flag.bucket, HashPage.Flag.overflow: maskLineStates(page)
        default: break
        }
        hash.flags &= ~HashPage.Flag.hasDead
    }

    /// Upper pages of posting trees of before 9.4 do not say how long they are.
    private static func maskGIN(_ page: RedoPage) {
        guard let gin = try? GINPage(page) else { return }
        if gin.flags & GINPage.Flag.deleted != 0 {
            maskContent(page)
        } else if page.lower > Page.headerSize {
            maskUnused(page)
        }
    }

    /// Images lack what is done to the left half of a split once the record is written. That tuples were deleted is not
    /// marked by all that delete them, nor by all minor releases.
    private static func maskGiST(_ page: RedoPage) {
        typealias Flag = GiSTPage.Flag
        guard let tree = try? GiSTPage(page) else { return }
        if tree.isLeaf { maskLineStates(page) }
        tree.nsn = 0
        tree.flags &= ~(Flag.followRight | Flag.hasGarbage | Flag.tuplesDeleted)
    }

    /// Maps of ranges have no unused space, whatever their headers say.
    private static func maskBRIN(_ page: RedoPage) {
        typealias Special = BRINRedo.Special
        maskHints(page)
        guard page.special == Special.start else { return }
        let type = page.load(Special.type, UInt16.self)
        if type == Special.regular || type == Special.meta && page.lower > Page.headerSize { maskUnused(page) }
        page.store(page.load(Special.flags, UInt16.self) & ~Special.isBeingEvacuated, Special.flags)
    }

    /// Hints, command ids and padding of a heap's tuples.
    private static func maskTuples(_ page: RedoPage, _ block: UInt32) {
        typealias Mask = HeapTuple.Mask
        for offset in 1...max(1, page.lineCount) where offset <= page.lineCount {
            guard page[line: offset].hasStorage, let (start, length) = try? page.item(offset) else { continue }
            if let tuple = try? HeapTuple(page, offset) {
                if tuple.infomask & Mask.xminFrozen == Mask.xminFrozen {
                    tuple.infomask &= ~(Mask.xmaxInvalid | Mask.xmaxCommitted)
                } else {
                    tuple.infomask &= ~Mask.transaction
                }
                tuple.cid = 0
                if tuple.ctidOffset == speculativeToken { tuple.setCtid(block: block, offset: UInt16(offset)) }
            }
            let padding = min(aligned(length), page.special - start) - length
            if padding > 0 { memset(page.bytes + start + length, 0, padding) }
        }
    }

    /// `SpecTokenOffsetNumber`: redo has the tuple's own place there.
    private static let speculativeToken: UInt16 = 0xFFFE
}
