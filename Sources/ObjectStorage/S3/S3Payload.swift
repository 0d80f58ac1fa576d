import Digests
import StorageURI

/// A request's body with the digests that go with it.
struct S3Payload: Sendable {
    /// A checksum that services may compare with what arrives.
    struct Checksum: Sendable {
        /// As in `x-amz-checksum-algorithm`.
        let algorithm: String
        /// In Base64.
        let value: String

        var header: (name: String, value: String) { ("x-amz-checksum-\(algorithm.lowercased())", value) }
    }

    let body: HTTPBody
    /// SHA-256 in hexadecimal, or what stands for an unsigned body.
    let signedHash: String
    /// In Base64, where it was asked for.
    let md5: String?
    let checksum: Checksum?

    static let empty = S3Payload(body: .none, signedHash: SignatureV4.emptyPayloadHash, md5: nil, checksum: nil)

    /// The algorithm of the checksums: of a signed body the digest that is there anyway, else the one that costs least.
    static func checksumAlgorithm(isSigned: Bool) -> String { isSigned ? "SHA256" : "CRC32C" }

    /// Computes the digests, off the cooperative pool.
    static func digesting(
        _ body: HTTPBody, isSigned: Bool, needsMD5: Bool
    ) async throws(ServiceFailure) -> S3Payload {
        let digests = try await BodyDigests.compute(
            body, sha256: isSigned, md5: needsMD5, crc32c: isSigned ? nil : CRC32C())
        let value = digests.sha256?.base64 ?? digests.crc32c?.base64
        return S3Payload(
            body: body, signedHash: digests.sha256?.hexadecimal ?? SignatureV4.unsignedPayload,
            md5: digests.md5?.base64,
            checksum: value.map { Checksum(algorithm: checksumAlgorithm(isSigned: isSigned), value: $0) })
    }
}
