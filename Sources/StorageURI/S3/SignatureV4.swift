import Digests
public import FoundationEssentials

/// Amazon's Signature Version 4, in the `Authorization` header, for S3 and STS.
///
/// The path is encoded once and not normalized, which is S3's rule; STS has no path but `/`.
public struct SignatureV4: Sendable {
    /// What is to be signed. What is sent must be the same: `target` gives the encoded path and query.
    public struct Request: Sendable {
        public var method: String
        /// As in the `Host` header: with the port when it is not the scheme's own.
        public var host: String
        /// Not encoded; begins with `/`.
        public var path: String
        /// Not encoded, in any order. An item without a value, such as `?uploads`, has the value `""`.
        public var query: [(name: String, value: String)]
        /// Without `Host` and the headers that signing adds. All are signed, except those that a proxy may change.
        public var headers: [(name: String, value: String)]
        /// SHA-256 of the body in hexadecimal, or `unsignedPayload`.
        public var payloadHash: String

        public init(
            method: String, host: String, path: String, query: [(name: String, value: String)] = [],
            headers: [(name: String, value: String)] = [], payloadHash: String = SignatureV4.emptyPayloadHash
        ) {
            self.method = method
            self.host = host
            self.path = path
            self.query = query
            self.headers = headers
            self.payloadHash = payloadHash
        }

        /// The path as it is signed and must be sent.
        public var encodedPath: String { path.isEmpty ? "/" : PercentEncoding.encode(path, keeping: "/") }

        /// The query as it is signed and must be sent: encoded and sorted. Empty when there is none.
        public var encodedQuery: String {
            query.map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
                .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
                .map { "\($0.0)=\($0.1)" }
                .joined(separator: "&")
        }

        /// What stands in the request line: path and query, encoded.
        public var target: String { query.isEmpty ? encodedPath : "\(encodedPath)?\(encodedQuery)" }
    }

    /// In place of the body's hash, where the body is not signed. Only over TLS.
    public static let unsignedPayload = "UNSIGNED-PAYLOAD"
    /// The hash of an empty body.
    public static let emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    /// The hash of a body, as `Request.payloadHash` takes it.
    public static func payloadHash(_ body: some Sequence<UInt8>) -> String { Digest.sha256(body).hexadecimal }

    public let region: String
    /// `s3` or `sts`.
    public let service: String

    public init(region: String, service: String) {
        self.region = region
        self.service = service
    }

    /// The headers to add to the request: `x-amz-date`, for S3 `x-amz-content-sha256`, with temporary credentials
    /// `x-amz-security-token`, and `Authorization`.
    public func headers(
        for request: Request, credentials: AWSCredentials, date: Date
    ) -> [(name: String, value: String)] {
        let timestamp = Self.timestamp(date)
        var added: [(name: String, value: String)] = [("x-amz-date", timestamp)]
        if service == "s3" { added.append(("x-amz-content-sha256", request.payloadHash)) }
        if let token = credentials.sessionToken { added.append(("x-amz-security-token", token.reveal())) }

        let canonical = canonicalRequest(request, added: added)
        let text = stringToSign(canonical.text, timestamp: timestamp)
        let key = signingKey(credentials.secretAccessKey, day: String(timestamp.prefix(8)))
        let signature = Digest.hmacSHA256(key: key, text.utf8).hexadecimal
        let scope = "\(credentials.accessKeyID)/\(scope(timestamp: timestamp))"
        added.append(
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(scope), SignedHeaders=\(canonical.signedHeaders), Signature=\(signature)"
            ))
        return added
    }

    /// Headers that proxies and transports set or change on their way.
    private static let unsignedHeaders: Set<String> = [
        "accept-encoding", "authorization", "connection", "expect", "te", "transfer-encoding", "upgrade", "user-agent",
        "x-amzn-trace-id",
    ]

    func canonicalRequest(
        _ request: Request, added: [(name: String, value: String)]
    ) -> (text: String, signedHeaders: String) {
        var values = ["host": [Self.collapseSpaces(request.host)]]
        for (name, value) in request.headers + added {
            let name = name.lowercased()
            if name == "host" || Self.unsignedHeaders.contains(name) { continue }
            values[name, default: []].append(Self.collapseSpaces(value))
        }
        let sorted = values.sorted { $0.key < $1.key }
        let signedHeaders = sorted.map(\.key).joined(separator: ";")
        let lines = sorted.map { "\($0.key):\($0.value.joined(separator: ","))\n" }.joined()
        let text = [
            request.method, request.encodedPath, request.encodedQuery, lines, signedHeaders, request.payloadHash,
        ].joined(separator: "\n")
        return (text, signedHeaders)
    }

    func stringToSign(_ canonicalRequest: String, timestamp: String) -> String {
        let digest = Digest.sha256(canonicalRequest.utf8).hexadecimal
        return "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope(timestamp: timestamp))\n\(digest)"
    }

    private func scope(timestamp: String) -> String { "\(timestamp.prefix(8))/\(region)/\(service)/aws4_request" }

    private func signingKey(_ secret: Secret, day: String) -> [UInt8] {
        var key = Array("AWS4\(secret.reveal())".utf8)
        for part in [day, region, service, "aws4_request"] { key = Digest.hmacSHA256(key: key, part.utf8) }
        return key
    }

    /// `yyyyMMddTHHmmssZ`.
    static func timestamp(_ date: Date) -> String {
        let text = date.formatted(
            Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted, timeZone: .gmt))
        return text
    }

    /// Without spaces at either end, and each run of spaces within as one.
    private static func collapseSpaces(_ value: String) -> String {
        value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }
}
