import Digests
public import FoundationEssentials

/// Version 4 of OSS' signature, `OSS4-HMAC-SHA256`, in the `Authorization` header.
///
/// The body is not signed, as in the vendor's own libraries: what protects it is TLS, and its digest in `Content-MD5`,
/// which is signed.
public struct OSSSignatureV4: Sendable {
    public let region: String
    /// Headers that are signed besides those that always are, in lower case.
    public let additionalHeaders: Set<String>

    public init(region: String, additionalHeaders: Set<String> = []) {
        self.region = region
        self.additionalHeaders = additionalHeaders
    }

    private static let unsignedPayload = "UNSIGNED-PAYLOAD"

    /// The headers to add to the request: `x-oss-date`, `x-oss-content-sha256`, with temporary credentials
    /// `x-oss-security-token`, and `Authorization`.
    public func headers(
        for request: OSSRequest, credentials: AlibabaCredentials, date: Date
    ) -> [(name: String, value: String)] {
        let timestamp = Self.timestamp(date)
        var added: [(name: String, value: String)] = [
            ("x-oss-date", timestamp), ("x-oss-content-sha256", Self.unsignedPayload),
        ]
        if let token = credentials.securityToken { added.append(("x-oss-security-token", token.reveal())) }
        let text = stringToSign(canonicalRequest(request, added: added), timestamp: timestamp)
        let key = signingKey(credentials.accessKeySecret, day: String(timestamp.prefix(8)))
        let names = additional(request)
        let list = names.isEmpty ? "" : ",AdditionalHeaders=\(names.joined(separator: ";"))"
        let credential = "\(credentials.accessKeyID)/\(scope(timestamp: timestamp))"
        let signature = Digest.hmacSHA256(key: key, text.utf8).hexadecimal
        added.append(("Authorization", "OSS4-HMAC-SHA256 Credential=\(credential)\(list),Signature=\(signature)"))
        return added
    }

    private static func isAlwaysSigned(_ name: String) -> Bool {
        name.hasPrefix("x-oss-") || name == "content-type" || name == "content-md5"
    }

    private func additional(_ request: OSSRequest) -> [String] {
        request.sortedHeaders(with: []) { additionalHeaders.contains($0) && !Self.isAlwaysSigned($0) }.map(\.name)
    }

    func canonicalRequest(_ request: OSSRequest, added: [(name: String, value: String)]) -> String {
        let lines = request.sortedHeaders(with: added) { Self.isAlwaysSigned($0) || additionalHeaders.contains($0) }
            .map { "\($0.name):\($0.value)\n" }
        let path = PercentEncoding.encode("/\(request.bucket)/\(request.key ?? "")", keeping: "/")
        return [
            request.method, path, request.query, lines.joined(), additional(request).joined(separator: ";"),
            Self.unsignedPayload,
        ].joined(separator: "\n")
    }

    func stringToSign(_ canonicalRequest: String, timestamp: String) -> String {
        let digest = Digest.sha256(canonicalRequest.utf8).hexadecimal
        return "OSS4-HMAC-SHA256\n\(timestamp)\n\(scope(timestamp: timestamp))\n\(digest)"
    }

    private func scope(timestamp: String) -> String { "\(timestamp.prefix(8))/\(region)/oss/aliyun_v4_request" }

    private func signingKey(_ secret: Secret, day: String) -> [UInt8] {
        var key = Array("aliyun_v4\(secret.reveal())".utf8)
        for part in [day, region, "oss", "aliyun_v4_request"] { key = Digest.hmacSHA256(key: key, part.utf8) }
        return key
    }

    /// `yyyyMMddTHHmmssZ`.
    private static func timestamp(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted, timeZone: .gmt))
    }
}
