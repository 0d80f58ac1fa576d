import Digests
public import FoundationEssentials

/// Version 1 of OSS' signature, which needs no region, in the `Authorization` header.
public enum OSSSignatureV1 {
    /// Of the items of a query those that name what a request is about. Others are not signed. The list is of what
    /// this program sends.
    private static let signedItems: Set<String> = ["continuation-token", "delete", "partNumber", "uploadId", "uploads"]

    /// The headers to add to the request: `Date`, with temporary credentials `x-oss-security-token`, and
    /// `Authorization`.
    public static func headers(
        for request: OSSRequest, credentials: AlibabaCredentials, date: Date
    ) -> [(name: String, value: String)] {
        let day = httpDate(date)
        var added: [(name: String, value: String)] = [("Date", day)]
        if let token = credentials.securityToken { added.append(("x-oss-security-token", token.reveal())) }
        func header(_ name: String) -> String { request.headers.first { $0.name.lowercased() == name }?.value ?? "" }
        let lines = request.sortedHeaders(with: added) { $0.hasPrefix("x-oss-") }.map { "\($0.name):\($0.value)\n" }
        let items = request.items.filter { signedItems.contains($0.name) }.sorted { $0.name < $1.name }
            .map { $0.value.isEmpty ? $0.name : "\($0.name)=\($0.value)" }
        let query = items.isEmpty ? "" : "?\(items.joined(separator: "&"))"
        // Nothing is encoded here.
        let resource = "/\(request.bucket)/\(request.key ?? "")\(query)"
        let text = [request.method, header("content-md5"), header("content-type"), day, lines.joined() + resource]
            .joined(separator: "\n")
        let key = Array(credentials.accessKeySecret.reveal().utf8)
        let signature = Digest.hmacSHA1(key: key, text.utf8).base64
        added.append(("Authorization", "OSS \(credentials.accessKeyID):\(signature)"))
        return added
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func httpDate(_ date: Date) -> String {
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        // `1994-11-06T08:49:37Z`.
        let parts = date.formatted(.iso8601).split { "-T:Z".contains($0) }
        // 1970 began on a Thursday.
        let weekday = Int((date.timeIntervalSince1970 / 86_400).rounded(.down) + 4) % 7
        let month = Int(parts[1]).map { months[$0 - 1] } ?? ""
        return "\(days[(weekday + 7) % 7]), \(parts[2]) \(month) \(parts[0]) \(parts[3]):\(parts[4]):\(parts[5]) GMT"
    }
}
