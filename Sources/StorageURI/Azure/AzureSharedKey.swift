import Digests

/// Signs requests with an account's key: the scheme `SharedKey` of 2009-09-19, with an empty `Content-Length` for an empty
/// body as since 2015-02-21.
public struct AzureSharedKey: Sendable {
    /// A request as it goes out, all but the signature.
    public struct Request: Sendable {
        public var method: String
        /// As in the URL: encoded, and with what stands before the container.
        public var path: String
        /// Not encoded; each name once.
        public var query: [(name: String, value: String)]
        public var headers: [(name: String, value: String)]
        public var bodyBytes: Int

        public init(
            method: String, path: String, query: [(name: String, value: String)],
            headers: [(name: String, value: String)], bodyBytes: Int
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.bodyBytes = bodyBytes
        }
    }

    private let account: String
    private let key: [UInt8]

    /// - Parameter key: In Base64; one that is not makes signatures that no service accepts.
    public init(account: String, key: Secret) {
        self.account = account
        self.key = [UInt8](base64: key.reveal()) ?? []
    }

    /// The value of the header `Authorization`.
    public func authorization(for request: Request) -> String {
        "SharedKey \(account):\(Digest.hmacSHA256(key: key, stringToSign(request).utf8).base64)"
    }

    /// The headers whose values are signed without their names, in this order.
    private static let standardHeaders = [
        "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
        "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
    ]
    private static let lengthLine = 3

    func stringToSign(_ request: Request) -> String {
        let headers = request.headers.map { (name: $0.name.lowercased(), value: String(Self.trimmed($0.value))) }
        var lines = [request.method]
        for name in Self.standardHeaders {
            lines.append(headers.first { $0.name == name }?.value ?? "")
        }
        if request.bodyBytes > 0 { lines[Self.lengthLine] = String(request.bodyBytes) }
        let own = headers.filter { $0.name.hasPrefix("x-ms-") }.sorted { $0.name < $1.name }
        lines += own.map { "\($0.name):\($0.value)" }
        lines.append("/\(account)\(request.path)")
        let query = request.query.map { (name: $0.name.lowercased(), value: $0.value) }.sorted { $0.name < $1.name }
        lines += query.map { "\($0.name):\($0.value)" }
        return lines.joined(separator: "\n")
    }

    private static func trimmed(_ value: String) -> Substring {
        var value = value.drop { $0 == " " || $0 == "\t" }
        while value.last == " " || value.last == "\t" { value.removeLast() }
        return value
    }
}
