import Digests
import StorageURI
import SystemPackage

/// A request's body with the digests that go with it.
struct S3Payload: Sendable {
    let body: HTTPBody
    /// SHA-256 in hexadecimal, or what stands for an unsigned body.
    let signedHash: String
    /// In Base64, where it was asked for.
    let md5: String?

    static let empty = S3Payload(body: .none, signedHash: SignatureV4.emptyPayloadHash, md5: nil)

    /// How much is digested at a time: it stays in the processor's cache between the two digests.
    private static let chunkSize = 256 << 10

    private init(body: HTTPBody, signedHash: String, md5: String?) {
        self.body = body
        self.signedHash = signedHash
        self.md5 = md5
    }

    /// Computes the digests, off the cooperative pool.
    static func digesting(
        _ body: HTTPBody, isSigned: Bool, needsMD5: Bool
    ) async throws(S3Failure) -> S3Payload {
        guard isSigned || needsMD5 else {
            return S3Payload(body: body, signedHash: SignatureV4.unsignedPayload, md5: nil)
        }
        do {
            return try await BlockingWork.run { _ in try digest(body, isSigned: isSigned, needsMD5: needsMD5) }
        } catch {
            if error is CancellationError { throw S3Failure(.unavailable, "cancelled", cause: error) }
            throw S3Failure(.invalid, "reading the file to send: \(error)")
        }
    }

    private static func digest(_ body: HTTPBody, isSigned: Bool, needsMD5: Bool) throws(Errno) -> S3Payload {
        var sha256 = Hasher(.sha256)
        var md5 = Hasher(.md5)
        func update(_ chunk: UnsafeRawBufferPointer, _ sha256: inout Hasher, _ md5: inout Hasher) {
            if isSigned { sha256.update(chunk) }
            if needsMD5 { md5.update(chunk) }
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
        let hash = sha256.finish().hexadecimal
        let tag = md5.finish()
        return S3Payload(
            body: body, signedHash: isSigned ? hash : SignatureV4.unsignedPayload,
            md5: needsMD5 ? tag.base64 : nil)
    }
}

extension [UInt8] {
    /// Base64, RFC 4648, with padding.
    var base64: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        text.reserveCapacity((count + 2) / 3 * 4)
        for start in stride(from: 0, to: count, by: 3) {
            let group = self[start..<Swift.min(start + 3, count)]
            var bits: UInt32 = 0
            for index in 0..<3 { bits = bits << 8 | (index < group.count ? UInt32(group[start + index]) : 0) }
            for index in 0..<4 {
                text.append(
                    index <= group.count ? alphabet[Int(bits >> (18 - 6 * UInt32(index)) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
