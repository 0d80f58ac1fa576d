import CLZ4
import CZstd
public import PostgresFormat

extension WALPageImage {
    /// Puts the image in the page's place. The page's LSN is then that of the image, which is older.
    ///
    /// Source: PostgreSQL's `src/backend/access/transam/xlogreader.c`, `RestoreBlockImage`.
    ///
    /// - Parameter page: `Page.size` bytes.
    public func restore(to page: UnsafeMutableRawPointer) throws(RedoFault) {
        guard let source = bytes.baseAddress else { throw RedoFault("its image is empty") }
        guard compression != .none else { return spread(source, to: page) }
        var fault: RedoFault?
        withUnsafeTemporaryAllocation(byteCount: Page.size, alignment: 8) { expanded in
            do throws(RedoFault) {
                let target = UnsafeMutableRawBufferPointer(rebasing: expanded[..<expandedBytes])
                guard try expand(into: target) == expandedBytes else {
                    throw RedoFault("its image expands to another length than \(expandedBytes) bytes")
                }
                spread(target.baseAddress!, to: page)
            } catch { fault = error }
        }
        if let fault { throw fault }
    }

    /// The bytes before the hole, zeros, and the bytes behind it.
    private func spread(_ source: UnsafeRawPointer, to page: UnsafeMutableRawPointer) {
        page.copyMemory(from: source, byteCount: holeOffset)
        (page + holeOffset).initializeMemory(as: UInt8.self, repeating: 0, count: holeLength)
        let end = holeOffset + holeLength
        (page + end).copyMemory(from: source + holeOffset, byteCount: Page.size - end)
    }

    private func expand(into target: UnsafeMutableRawBufferPointer) throws(RedoFault) -> Int {
        switch compression {
        case .none: preconditionFailure("not compressed")
        case .pglz: return try expandPGLZ(bytes, into: target)
        case .lz4:
            let count = LZ4_decompress_safe(
                bytes.baseAddress!.assumingMemoryBound(to: CChar.self),
                target.baseAddress!.assumingMemoryBound(to: CChar.self), Int32(bytes.count), Int32(target.count))
            guard count >= 0 else { throw RedoFault("its image is no LZ4") }
            return Int(count)
        case .zstd:
            let count = ZSTD_decompress(target.baseAddress, target.count, bytes.baseAddress, bytes.count)
            guard ZSTD_isError(count) == 0 else { throw RedoFault("its image is no Zstandard") }
            return count
        }
    }
}

/// Expands PostgreSQL's own compression, without the header that it has in tuples.
///
/// Source: PostgreSQL's `src/common/pg_lzcompress.c`.
func expandPGLZ(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws(RedoFault) -> Int {
    var (read, written) = (0, 0)
    func fault() -> RedoFault { RedoFault("its image is not compressed as pglz does") }
    while read < source.count, written < target.count {
        var control = source[read]
        read += 1
        for _ in 0..<8 where read < source.count && written < target.count {
            if control & 1 == 0 {
                target[written] = source[read]
                read += 1
                written += 1
            } else {
                guard read + 2 <= source.count else { throw fault() }
                var length = Int(source[read] & 0x0F) + 3
                let distance = Int(source[read] & 0xF0) << 4 | Int(source[read + 1])
                read += 2
                if length == 18 {
                    guard read < source.count else { throw fault() }
                    length += Int(source[read])
                    read += 1
                }
                guard distance > 0, distance <= written else { throw fault() }
                // What is copied may be what was just written.
                for _ in 0..<min(length, target.count - written) {
                    target[written] = target[written - distance]
                    written += 1
                }
            }
            control >>= 1
        }
    }
    guard read == source.count else { throw fault() }
    return written
}
