import CChecksum
import CZstd

/// Compresses frames; one a worker, its memory used again for each frame.
public struct FrameCompressor: ~Copyable {
    private let context: OpaquePointer
    private let output: UnsafeMutableRawBufferPointer

    /// - Parameter level: zstd's. On database pages level 1 is both faster than 3 and no larger, measured on tables
    ///   of pgbench and of random text, since long matches within a page's rows are found at any level.
    public init(level: Int) {
        context = ZSTD_createCCtx()!  // nil only when memory is exhausted
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        output = .allocate(byteCount: ZSTD_compressBound(Format.maximumFrameBytes), alignment: 64)
    }

    deinit {
        ZSTD_freeCCtx(context)
        output.deallocate()
    }

    /// The frame's stored bytes, valid until the next call, in one zstd frame that tells its content's size.
    mutating func compress(_ content: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        precondition(content.count <= Format.maximumFrameBytes)
        let written = ZSTD_compress2(context, output.baseAddress, output.count, content.baseAddress, content.count)
        precondition(ZSTD_isError(written) == 0, "the output buffer has zstd's own bound")
        return UnsafeRawBufferPointer(rebasing: output[0..<written])
    }
}

/// Checks and expands frames; one a worker.
public struct FrameDecompressor: ~Copyable {
    private let context: OpaquePointer

    public init() { context = ZSTD_createDCtx()! }  // nil only when memory is exhausted
    deinit { ZSTD_freeDCtx(context) }

    /// Expands one frame that must give exactly `content.count` bytes.
    mutating func expand(
        _ stored: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer
    ) throws(SnapshotFormatError) {
        let size = ZSTD_getFrameContentSize(stored.baseAddress, stored.count)
        guard size == UInt64(content.count) else { throw SnapshotFormatError("a frame does not hold its pages") }
        let written = ZSTD_decompressDCtx(
            context, content.baseAddress, content.count, stored.baseAddress, stored.count)
        guard ZSTD_isError(written) == 0, written == content.count else {
            throw SnapshotFormatError("a frame does not expand: \(String(cString: ZSTD_getErrorName(written)))")
        }
    }
}

/// CRC-32C, as frames are checked with.
func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    cchecksum_crc32c(0, bytes.baseAddress, bytes.count)
}
