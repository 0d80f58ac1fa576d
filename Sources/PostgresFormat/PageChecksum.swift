import CChecksum

/// The checksum that PostgreSQL keeps in a page's `pd_checksum`, when the cluster has data checksums.
///
/// Source: PostgreSQL's `src/include/storage/checksum_impl.h`.
public enum PageChecksum {
    /// The checksum that the page should carry.
    ///
    /// - Parameters:
    ///   - page: `Page.size` bytes, at any alignment. The field itself counts as zero.
    ///   - block: The block within its relation fork, counted across segment files.
    /// - Returns: A value in 1 ... 65535; a stored 0 means that the page has none.
    public static func compute(_ page: UnsafeRawPointer, block: UInt32) -> UInt16 {
        cchecksum_pg_page(page, block)
    }

    /// Finds damage in a run of consecutive pages.
    ///
    /// A page that was never initialized is right when it is all zero, and wrong when it only looks new (`pd_upper`
    /// is 0, something else is not), as in PostgreSQL's `PageIsVerified`.
    ///
    /// - Parameters:
    ///   - pages: Whole pages; a rest that is none is not looked at.
    ///   - firstBlock: The block number of the first of them.
    /// - Returns: The index in the run of the first wrong page; nil when all are right.
    public static func firstBadPage(in pages: UnsafeRawBufferPointer, firstBlock: UInt32) -> Int? {
        guard let base = pages.baseAddress else { return nil }
        let count = pages.count / Page.size
        let found = cchecksum_pg_first_bad(base, count, firstBlock)
        return found < count ? found : nil
    }

    /// Stores the right checksum in the page, unless it is new: such a page carries none.
    public static func set(_ page: UnsafeMutableRawPointer, block: UInt32) {
        guard !Page(page).isNew else { return }
        page.storeBytes(of: compute(page, block: block).littleEndian, toByteOffset: 8, as: UInt16.self)
    }
}
