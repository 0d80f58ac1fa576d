import Digests
import StorageURI

/// A request's body with the digests that go with it.
struct S3Payload: Sendable {
    let body: HTTPBody
    /// SHA-256 in hexadecimal, or what stands for an unsigned body.
    let signedHash: String
    /// In Base64, where it was asked for.
    let md5: String?
    /// The signed hash as `x-amz-checksum-sha256` has it; nil for an unsigned body.
    let checksum: String?

    static let empty = S3Payload(body: .none, signedHash: SignatureV4.emptyPayloadHash, md5: nil, checksum: nil)

    /// Computes the digests, off the cooperative pool.
    static func digesting(
        _ body: HTTPBody, isSigned: Bool, needsMD5: Bool
    ) async throws(ServiceFailure) -> S3Payload {
        let digests = try await BodyDigests.compute(body, sha256: isSigned, md5: needsMD5)
        return S3Payload(
            body: body, signedHash: digests.sha256?.hexadecimal ?? SignatureV4.unsignedPayload,
            md5: digests.md5?.base64, checksum: digests.sha256?.base64)
    }
}
