import CLZ4
import CZstd

/// Unpacks what `Compressor`, WAL-G and the programs `zstd` and `lz4` write: one frame, or several in a row.
///
/// - Note: Not guarded: who reads an object hands its pieces over one by one, and waits for each.
final class Decompressor: @unchecked Sendable {
    private enum Engine {
        case zstd(OpaquePointer)
        case lz4(OpaquePointer)
        case plain
    }
    private let engine: Engine
    private let buffer: UnsafeMutableRawBufferPointer
    /// True between frames: the content may end here.
    private var isAtFrameEnd: Bool

    init(_ codec: WALCodec) {
        switch codec {
        case .zstd: engine = .zstd(ZSTD_createDCtx()!)  // nil only when memory is exhausted
        case .lz4:
            var context: OpaquePointer?
            LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
            engine = .lz4(context!)  // nil only when memory is exhausted
        case .plain: engine = .plain
        }
        buffer = .allocate(byteCount: codec == .plain ? 0 : 256 << 10, alignment: 64)
        isAtFrameEnd = codec == .plain
    }

    deinit {
        switch engine {
        case .zstd(let context): ZSTD_freeDCtx(context)
        case .lz4(let context): LZ4F_freeDecompressionContext(context)
        case .plain: break
        }
        buffer.deallocate()
    }

    /// Unpacks the next piece, and hands on what comes of it in pieces that are valid during the call only.
    ///
    /// - Throws: `.damaged` where the piece is none of this format, or what `consume` throws.
    func expand(
        _ piece: [UInt8], _ consume: (UnsafeRawBufferPointer) throws(WALArchiveError) -> Void
    ) throws(WALArchiveError) {
        var fault: WALArchiveError?
        piece.withUnsafeBytes { input in
            do throws(WALArchiveError) {
                switch engine {
                case .zstd(let context): try expand(input, context, consume)
                case .lz4(let context): try expand(lz4: input, context, consume)
                case .plain: if !input.isEmpty { try consume(input) }
                }
            } catch { fault = error }
        }
        if let fault { throw fault }
    }

    /// - Throws: `.damaged` when the content ended in the middle of a frame, or before the first.
    func finish() throws(WALArchiveError) {
        guard isAtFrameEnd else { throw .damaged("it is cut short") }
    }

    private func expand(
        _ input: UnsafeRawBufferPointer, _ context: OpaquePointer,
        _ consume: (UnsafeRawBufferPointer) throws(WALArchiveError) -> Void
    ) throws(WALArchiveError) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var isFull = false
        // A full buffer may leave more inside, also when all input is taken.
        while source.pos < source.size || isFull {
            var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
            let code = ZSTD_decompressStream(context, &target, &source)
            if ZSTD_isError(code) != 0 { throw Self.failure(ZSTD_getErrorName(code)) }
            isAtFrameEnd = code == 0
            isFull = target.pos == target.size && code != 0
            if target.pos > 0 { try consume(UnsafeRawBufferPointer(rebasing: buffer[..<target.pos])) }
        }
    }

    private func expand(
        lz4 input: UnsafeRawBufferPointer, _ context: OpaquePointer,
        _ consume: (UnsafeRawBufferPointer) throws(WALArchiveError) -> Void
    ) throws(WALArchiveError) {
        var rest = input
        var isFull = false
        while !rest.isEmpty || isFull {
            var taken = rest.count
            var written = buffer.count
            let code = LZ4F_decompress(context, buffer.baseAddress, &written, rest.baseAddress, &taken, nil)
            if LZ4F_isError(code) != 0 { throw Self.failure(LZ4F_getErrorName(code)) }
            isAtFrameEnd = code == 0
            isFull = written == buffer.count && code != 0
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            if written > 0 { try consume(UnsafeRawBufferPointer(rebasing: buffer[..<written])) }
            // Neither taken nor given: nothing more comes of these bytes.
            if taken == 0, written == 0 { break }
        }
    }

    private static func failure(_ name: UnsafePointer<CChar>?) -> WALArchiveError {
        .damaged("it does not expand: \(name.map { String(cString: $0) } ?? "no reason given")")
    }
}
