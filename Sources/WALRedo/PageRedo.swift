import Glibc
public import PostgresFormat

/// Redoes what a record did to one of its pages: page bytes in, page bytes out, no server, no files.
///
/// Source: PostgreSQL's `src/backend/access/transam/xlogutils.c`, `XLogReadBufferForRedoExtended`, for the rule; the
/// `redo` function of each resource manager for what is done.
public struct PageRedo: Sendable {
    /// PostgreSQL's version, 14 to 18.
    public let major: Int
    /// Whether hints are logged: the cluster has checksums, or `wal_log_hints` is on.
    public let logsHints: Bool

    public init(major: Int, logsHints: Bool) {
        self.major = major
        self.logsHints = logsHints
    }

    /// What became of the page.
    public enum Outcome: Sendable, Hashable {
        /// The record's image is in its place.
        case restored
        /// It was made anew.
        case initialized
        /// It was changed.
        case changed
        /// It has this change already.
        case alreadyDone
    }

    /// - Parameters:
    ///   - index: Of the reference in `record.blocks`.
    ///   - page: The page as it was before: what is there does not matter where the record carries an image or makes it
    ///     anew. After an error, it is of no use.
    /// - Throws: `RedoFault` where the record contradicts the page or itself, or cannot be redone.
    public func apply(_ record: WALRecord, _ index: Int, to page: RedoPage) throws(RedoFault) -> Outcome {
        let block = record.blocks[index]
        if let image = block.image, image.applies {
            try image.restore(to: page.bytes)
            if !page.page.isNew {
                page.lsn = record.endLSN
                try changeRestored(record, block, page)
            }
            return .restored
        }
        if block.initializes {
            // As on a server: nothing is left, even where the record should have no such page.
            memset(page.bytes, 0, Page.size)
        } else {
            guard page.lsn < record.endLSN else { return .alreadyDone }
            if page.page.isNew, !mayBeNew(record, block) {
                throw RedoFault("the page is new, and the record changes it")
            }
        }
        let setsLSN = try redo(record, block, page)
        if setsLSN { page.lsn = record.endLSN }
        return block.initializes ? .initialized : .changed
    }

    /// - Returns: Whether the page has the record's LSN from now on.
    private func redo(_ record: WALRecord, _ block: WALBlockReference, _ page: RedoPage) throws(RedoFault) -> Bool {
        if !block.initializes, !page.page.isNew { try page.checkHeader() }
        switch record.manager {
        case .heap: return try HeapRedo(record: record, block: block, page: page).redo()
        case .heap2:
            return try Heap2Redo(record: record, block: block, page: page, major: major, logsHints: logsHints).redo()
        case .btree: try BtreeRedo(record: record, block: block, page: page).redo()
        case .hash: return try HashRedo(record: record, block: block, page: page).redo()
        case .gin: try GINRedo(record: record, block: block, page: page).redo()
        case .gist: try GiSTRedo(record: record, block: block, page: page, major: major).redo()
        case .spgist: try SPGiSTRedo(record: record, block: block, page: page, major: major).redo()
        case .brin: try BRINRedo(record: record, block: block, page: page).redo()
        case .generic: try redoGeneric(block, page)
        case .sequence: try redoSequence(record, page)
        case .xlog: return false  // an image that was left out, as full_page_writes was off
        default: throw unknownManager(record)
        }
        return true
    }

    /// Maps of heaps are made by the first record that needs them; an image that was left out changes nothing.
    private func mayBeNew(_ record: WALRecord, _ block: WALBlockReference) -> Bool {
        switch record.manager {
        case .heap, .heap2: block.fork == .visibilityMap
        default: record.manager == .xlog
        }
    }

    /// Some records do more to a page than its image shows.
    private func changeRestored(
        _ record: WALRecord, _ block: WALBlockReference, _ page: RedoPage
    ) throws(RedoFault) {
        guard !block.initializes else { return }
        switch record.manager {
        case .hash: try HashRedo(record: record, block: block, page: page).changeRestored()
        case .gist: try GiSTRedo(record: record, block: block, page: page, major: major).changeRestored()
        default: break
        }
    }
}
