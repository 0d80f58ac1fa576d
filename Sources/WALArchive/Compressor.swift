import CLZ4
import CZstd

/// Packs one file, as it is read, into one frame with a checksum of its content.
///
/// - Note: Not guarded: the iterator that owns it waits for each call before the next, also when it is cancelled.
final class Compressor: @unchecked Sendable {
    private enum Engine {
        case zstd(OpaquePointer)
        case lz4(OpaquePointer, LZ4F_preferences_t)
    }
    /// What is taken at once: the buffer for what comes of it has room for its worst case.
    static let stepBytes = 1 << 20

    private let engine: Engine
    private let buffer: UnsafeMutableRawBufferPointer
    private var hasBegun = false

    /// - Parameter contentBytes: How many bytes will come; the frame tells it.
    init(_ compression: WALCompression, contentBytes: Int) {
        switch compression {
        case .zstd(let level):
            let context = ZSTD_createCCtx()!  // nil only when memory is exhausted
            ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
            ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
            ZSTD_CCtx_setPledgedSrcSize(context, UInt64(contentBytes))
            engine = .zstd(context)
            buffer = .allocate(byteCount: ZSTD_CStreamOutSize(), alignment: 64)
        case .lz4:
            var context: OpaquePointer?
            LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION))
            var preferences = LZ4F_preferences_t()
            preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
            preferences.frameInfo.contentSize = UInt64(contentBytes)
            preferences.frameInfo.blockSizeID = LZ4F_max1MB
            engine = .lz4(context!, preferences)  // nil only when memory is exhausted
            let worst = max(LZ4F_compressBound(Self.stepBytes, &preferences), Int(LZ4F_HEADER_SIZE_MAX))
            buffer = .allocate(byteCount: worst, alignment: 64)
        }
    }

    deinit {
        switch engine {
        case .zstd(let context): ZSTD_freeCCtx(context)
        case .lz4(let context, _): LZ4F_freeCompressionContext(context)
        }
        buffer.deallocate()
    }

    /// Takes more of the content, up to `stepBytes`, and appends to `output` what comes of it; with the last of it the
    /// end of the frame.
    func compress(
        _ input: UnsafeRawBufferPointer, isLast: Bool, into output: inout [UInt8]
    ) throws(WALArchiveError) {
        precondition(input.count <= Self.stepBytes)
        switch engine {
        case .zstd(let context): try compress(input, isLast, context, into: &output)
        case .lz4(let context, let preferences): try compress(input, isLast, context, preferences, into: &output)
        }
    }

    private func compress(
        _ input: UnsafeRawBufferPointer, _ isLast: Bool, _ context: OpaquePointer, into output: inout [UInt8]
    ) throws(WALArchiveError) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var rest = 0
        repeat {
            var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
            rest = ZSTD_compressStream2(context, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
            if ZSTD_isError(rest) != 0 { throw Self.failure(ZSTD_getErrorName(rest)) }
            output += buffer[..<target.pos]
        } while isLast ? rest != 0 : source.pos < source.size
    }

    private func compress(
        _ input: UnsafeRawBufferPointer, _ isLast: Bool, _ context: OpaquePointer, _ preferences: LZ4F_preferences_t,
        into output: inout [UInt8]
    ) throws(WALArchiveError) {
        func take(_ code: Int) throws(WALArchiveError) {
            if LZ4F_isError(code) != 0 { throw Self.failure(LZ4F_getErrorName(code)) }
            output += buffer[..<code]
        }
        if !hasBegun {
            hasBegun = true
            var preferences = preferences
            try take(LZ4F_compressBegin(context, buffer.baseAddress, buffer.count, &preferences))
        }
        if !input.isEmpty {
            try take(
                LZ4F_compressUpdate(context, buffer.baseAddress, buffer.count, input.baseAddress, input.count, nil))
        }
        if isLast { try take(LZ4F_compressEnd(context, buffer.baseAddress, buffer.count, nil)) }
    }

    /// The libraries fail when the content has another length than was said: the file changed.
    private static func failure(_ name: UnsafePointer<CChar>?) -> WALArchiveError {
        .damaged("the content does not compress: \(name.map { String(cString: $0) } ?? "no reason given")")
    }
}
