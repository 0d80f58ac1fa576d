/// The header of a page in a relation's file, read where it lies. It owns nothing: valid as long as the pointer is.
///
/// Source: PostgreSQL's `src/include/storage/bufpage.h`, `PageHeaderData`.
public struct Page {
    /// Bytes in a page: `BLCKSZ`. Clusters built with another block size are refused.
    public static let size = 8192
    /// Bytes of the header, up to the line pointers.
    public static let headerSize = 24

    public let bytes: UnsafeRawPointer

    /// - Parameter bytes: `Page.size` bytes, at any alignment.
    @inlinable public init(_ bytes: UnsafeRawPointer) { self.bytes = bytes }

    /// Behind the last WAL record that changed the page.
    @inlinable public var lsn: LSN {
        // Two 32-bit halves, the upper one first: PageXLogRecPtr.
        LSN(rawValue: UInt64(load(0, UInt32.self)) << 32 | UInt64(load(4, UInt32.self)))
    }
    /// As stored; 0 where the cluster keeps no checksums.
    @inlinable public var checksum: UInt16 { load(8, UInt16.self) }
    @inlinable public var flags: PageFlags { PageFlags(rawValue: load(10, UInt16.self)) }
    /// Where free space begins.
    @inlinable public var lower: UInt16 { load(12, UInt16.self) }
    /// Where free space ends; 0 in a new page.
    @inlinable public var upper: UInt16 { load(14, UInt16.self) }
    /// Where the access method's own data begins.
    @inlinable public var special: UInt16 { load(16, UInt16.self) }
    /// The page's size, which shares a field with the layout version.
    @inlinable public var pageSize: Int { Int(load(18, UInt16.self) & 0xFF00) }
    /// 4 since PostgreSQL 8.3.
    @inlinable public var layoutVersion: UInt8 { UInt8(truncatingIfNeeded: load(18, UInt16.self)) }
    /// The oldest transaction whose leavings could be pruned, or 0.
    @inlinable public var pruneXid: UInt32 { load(20, UInt32.self) }

    /// Never initialized: PostgreSQL's `PageIsNew`. Such a page is valid only when all of it is zero.
    @inlinable public var isNew: Bool { upper == 0 }

    /// All bytes are zero, as the file system leaves an extended file.
    @inlinable public var isAllZero: Bool {
        var offset = 0
        while offset < Page.size {
            if load(offset, UInt64.self) != 0 { return false }
            offset += 8
        }
        return true
    }

    /// The header could be of a page: known flags, and bounds in order. PostgreSQL asks this of every page it reads.
    public var hasSaneHeader: Bool {
        flags.isSubset(of: .all) && lower <= upper && upper <= special && special <= UInt16(Page.size)
            && special % 8 == 0
    }

    @inlinable func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
        T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}

/// `pd_flags`.
public struct PageFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Some line pointers are unused.
    public static let hasFreeLines = PageFlags(rawValue: 0x0001)
    /// An update found no room here.
    public static let pageFull = PageFlags(rawValue: 0x0002)
    /// All tuples are visible to everybody.
    public static let allVisible = PageFlags(rawValue: 0x0004)
    /// PostgreSQL's `PD_VALID_FLAG_BITS`.
    public static let all: PageFlags = [.hasFreeLines, .pageFull, .allVisible]
}
