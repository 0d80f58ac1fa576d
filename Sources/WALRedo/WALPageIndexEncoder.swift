import CChecksum
import PostgresFormat

/// Writes the bytes of a page index.
struct WALPageIndexEncoder {
    private typealias Layout = WALPageIndexLayout
    let segment: WALSegment
    let major: Int
    let end: LSN
    let newestXid: UInt32
    /// Sorted: those that the entries name by rank.
    let forks: [RelationFork]
    let fileChanges: [WALPageIndex.FileChange]
    let effectUnits: [UInt32]

    /// - Parameter entries: Sorted.
    func encode(_ entries: UnsafeBufferPointer<PageEntry>) -> [UInt8] {
        let pages = encodePages(entries)
        let changes = encodeChanges()
        let effects = encodeEffects()
        var writer = IndexWriter(
            capacity: Layout.headerSize + forks.count * Layout.forkSize + pages.groups.count * Layout.groupSize
                + pages.bytes.count + changes.count + effects.count + Layout.crcSize)
        writer.put(Layout.magic)
        writer.put(Layout.version)
        writer.put(UInt16(major))
        writer.put(segment.timeline)
        writer.put(segment.startLSN.rawValue)
        writer.put(UInt32(segment.size))
        writer.put(newestXid)
        writer.put(end.rawValue)
        let counts = [
            forks.count, pages.groups.count, pages.pageCount, pages.bytes.count, fileChanges.count, changes.count,
            effectUnits.count, effects.count,
        ]
        for count in counts { writer.put(UInt32(count)) }
        var firstGroup = 0
        for (rank, fork) in forks.enumerated() {
            put(fork.locator, &writer)
            writer.put(UInt32(fork.fork.rawValue))
            writer.put(UInt32(firstGroup))
            writer.put(UInt32(pages.forkPages[rank]))
            firstGroup += (pages.forkPages[rank] + Layout.pagesPerGroup - 1) / Layout.pagesPerGroup
        }
        for group in pages.groups {
            writer.put(group.block)
            writer.put(group.offset)
        }
        writer.put(pages.bytes.written)
        writer.put(changes.written)
        writer.put(effects.written)
        writer.put(UInt32(0))
        var bytes = Array(writer.written)
        Self.seal(&bytes)
        return bytes
    }

    /// Puts the checksum at the end.
    static func seal(_ bytes: inout [UInt8]) {
        let covered = bytes.count - Layout.crcSize
        bytes.withUnsafeMutableBytes { content in
            let crc = cchecksum_crc32c(0, content.baseAddress, covered)
            content.storeBytes(of: crc.littleEndian, toByteOffset: covered, as: UInt32.self)
        }
    }

    private struct EncodedPages: ~Copyable {
        var bytes: IndexWriter
        var groups: [(block: UInt32, offset: UInt32)] = []
        var forkPages: [Int]
        var pageCount = 0
    }

    private func encodePages(_ entries: UnsafeBufferPointer<PageEntry>) -> EncodedPages {
        // A block, a count, a place and flags take no more than this.
        var pages = EncodedPages(
            bytes: IndexWriter(capacity: entries.count * 16), forkPages: [Int](repeating: 0, count: forks.count))
        var index = 0
        var block: UInt32 = 0
        while index < entries.count {
            let first = entries[index]
            var next = index + 1
            var count = 1
            while next < entries.count, entries[next].block == first.block, entries[next].fork == first.fork {
                if entries[next].position >> 3 != entries[next - 1].position >> 3 { count += 1 }
                next += 1
            }
            let rank = Int(first.fork)
            if pages.forkPages[rank] % Layout.pagesPerGroup == 0 {
                pages.groups.append((block: first.block, offset: UInt32(pages.bytes.count)))
                block = first.block
            }
            pages.forkPages[rank] += 1
            pages.pageCount += 1
            pages.bytes.putVarint(UInt64(first.block - block) << 1 | (count == 1 ? 0 : 1))
            if count > 1 { pages.bytes.putVarint(UInt64(count - 2)) }
            block = first.block
            encode(UnsafeBufferPointer(rebasing: entries[index..<next]), &pages.bytes)
            index = next
        }
        return pages
    }

    /// What is about one page. A record may be about it in two ways.
    @inline(__always)
    private func encode(_ entries: UnsafeBufferPointer<PageEntry>, _ writer: inout IndexWriter) {
        var unit: UInt32 = 0
        var index = 0
        while index < entries.count {
            let position = PackedPosition(rawValue: entries[index].position)
            var flags = UInt8(position.rawValue & 7)
            index += 1
            while index < entries.count, entries[index].position >> 3 == position.unit {
                flags |= UInt8(entries[index].position & 7)
                index += 1
            }
            writer.putVarint(UInt64(position.unit - unit) << 1 | (flags == 0 ? 0 : 1))
            if flags != 0 { writer.put(flags) }
            unit = position.unit
        }
    }

    private func encodeEffects() -> IndexWriter {
        var writer = IndexWriter(capacity: effectUnits.count * 5)
        var unit: UInt32 = 0
        for next in effectUnits {
            writer.putVarint(UInt64(next - unit))
            unit = next
        }
        return writer
    }

    private static let largestChange = 32

    private func encodeChanges() -> IndexWriter {
        var writer = IndexWriter(capacity: fileChanges.count * Self.largestChange)
        var unit: UInt32 = 0
        for change in fileChanges {
            let next = UInt32((change.lsn.rawValue - segment.startLSN.rawValue) / 8)
            writer.putVarint(UInt64(next - unit))
            unit = next
            switch change.kind {
            case .created(let fork):
                writer.put(Layout.ChangeKind.created)
                put(fork.locator, &writer)
                writer.put(fork.fork.rawValue)
            case .truncated(let relation, let blocks, let forks):
                writer.put(Layout.ChangeKind.truncated)
                put(relation, &writer)
                writer.put(blocks)
                writer.put(UInt8(truncatingIfNeeded: forks.rawValue))
            case .dropped(let relation):
                writer.put(Layout.ChangeKind.dropped)
                put(relation, &writer)
            case .databaseCreated(let directory):
                writer.put(Layout.ChangeKind.databaseCreated)
                put(directory, &writer)
            case .databaseCopied(let target, let source):
                writer.put(Layout.ChangeKind.databaseCopied)
                put(target, &writer)
                put(source, &writer)
            case .databaseDropped(let directory):
                writer.put(Layout.ChangeKind.databaseDropped)
                put(directory, &writer)
            }
        }
        return writer
    }

    private func put(_ relation: RelationLocator, _ writer: inout IndexWriter) {
        writer.put(relation.tablespace)
        writer.put(relation.database)
        writer.put(relation.relation)
    }

    private func put(_ directory: DatabaseDirectory, _ writer: inout IndexWriter) {
        writer.put(directory.tablespace)
        writer.put(directory.database)
    }
}

/// Bytes that are written one after the other, no more than was said.
struct IndexWriter: ~Copyable {
    private let start: UnsafeMutableRawPointer
    private let capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = capacity
        start = .allocate(byteCount: max(1, capacity), alignment: 8)
    }

    deinit { start.deallocate() }

    var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    @inline(__always)
    mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        precondition(capacity - count >= MemoryLayout<T>.size)
        start.storeBytes(of: value.littleEndian, toByteOffset: count, as: T.self)
        count += MemoryLayout<T>.size
    }

    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        precondition(capacity - count >= bytes.count)
        if let source = bytes.baseAddress { (start + count).copyMemory(from: source, byteCount: bytes.count) }
        count += bytes.count
    }

    /// Seven bits a byte, the lowest first, the eighth set where more follow.
    @inline(__always)
    mutating func putVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        put(UInt8(truncatingIfNeeded: rest))
    }
}
