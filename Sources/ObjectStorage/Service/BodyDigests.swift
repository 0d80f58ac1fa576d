import Digests
import SystemPackage

/// The digests that a request's body is sent with.
struct BodyDigests: Sendable {
    let sha256: [UInt8]?
    let md5: [UInt8]?
    let crc32c: CRC32C?

    /// How much is digested at a time: it stays in the processor's cache between two digests.
    private static let chunkSize = 256 << 10

    /// Computes what is asked for, off the cooperative pool.
    ///
    /// - Parameter crc32c: What comes before the body; nil: no such checksum is wanted.
    static func compute(
        _ body: HTTPBody, sha256 needsSHA256: Bool = false, md5 needsMD5: Bool = false, crc32c: CRC32C? = nil
    ) async throws(ServiceFailure) -> BodyDigests {
        guard needsSHA256 || needsMD5 || crc32c != nil else {
            return BodyDigests(sha256: nil, md5: nil, crc32c: nil)
        }
        do {
            return try await BlockingWork.run { _ in try digest(body, needsSHA256, needsMD5, crc32c) }
        } catch {
            if error is CancellationError { throw .cancelled(error) }
            throw ServiceFailure(.invalid, "reading the file to send: \(error)")
        }
    }

    private static func digest(
        _ body: HTTPBody, _ needsSHA256: Bool, _ needsMD5: Bool, _ crc32c: CRC32C?
    ) throws(Errno) -> BodyDigests {
        var sha256 = Hasher(.sha256)
        var md5 = Hasher(.md5)
        var crc32c = crc32c
        func update(_ chunk: UnsafeRawBufferPointer, _ sha256: inout Hasher, _ md5: inout Hasher) {
            if needsSHA256 { sha256.update(chunk) }
            if needsMD5 { md5.update(chunk) }
            crc32c?.update(chunk)
        }
        switch body {
        case .none: break
        case .bytes(let bytes, let range):
            bytes.withUnsafeBytes { buffer in
                for start in stride(from: range.lowerBound, to: range.upperBound, by: chunkSize) {
                    let end = min(start + chunkSize, range.upperBound)
                    update(UnsafeRawBufferPointer(rebasing: buffer[start..<end]), &sha256, &md5)
                }
            }
        case .file(let region):
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkSize, alignment: 16)
            defer { buffer.deallocate() }
            var position = 0
            while position < region.count {
                let count = try region.read(at: position, into: buffer)
                guard count > 0 else { throw Errno.ioError }  // shorter than when it was opened
                update(UnsafeRawBufferPointer(rebasing: buffer[0..<count]), &sha256, &md5)
                position += count
            }
        }
        let sha256Value = sha256.finish()
        let md5Value = md5.finish()
        return BodyDigests(sha256: needsSHA256 ? sha256Value : nil, md5: needsMD5 ? md5Value : nil, crc32c: crc32c)
    }
}
