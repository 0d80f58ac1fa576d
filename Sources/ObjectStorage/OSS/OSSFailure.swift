import Digests

/// Refusals as OSS writes them.
extension ServiceFailure {
    /// What the body, or for HEAD a header, says of a fault.
    init(oss response: HTTPResponse) {
        var body = response.body
        if body.isEmpty, let text = response.headers["x-oss-err"], let bytes = [UInt8](base64: text) { body = bytes }
        let root = XMLElement.parse(body)
        let element = root?.name == "Error" ? root : nil
        self.init(ossStatus: response.status, element: element)
        take(head: response.headers)
        host = element?["Endpoint"]
        if element == nil { explain(by: body) }
        if let code = element?["EC"] ?? response.headers["x-oss-ec"], !code.isEmpty {
            detail += "\(detail.isEmpty ? "" : "; ")EC \(code)"
        }
        add(requestID: element?["RequestId"] ?? response.headers["x-oss-request-id"])
    }

    /// - Parameter element: `Error`.
    init(ossStatus status: Int, element: XMLElement?) {
        let name = element?["Code"] ?? ""
        self.init(status: status, serviceCode: name, message: element?["Message"] ?? "")
        switch name {
        case "FileAlreadyExists": code = .alreadyExists
        // The body was changed on its way.
        case "InvalidDigest", "BadRequest":
            isRetryable = true
            code = .unavailable
        case let name where Self.expiredTokens.contains(name): code = .denied
        default: break
        }
    }

    private static let expiredTokens: Set<String> = ["SecurityTokenExpired", "InvalidSecurityToken"]

    /// Whether the service took the keys for ones that have ended.
    var isOfExpiredToken: Bool { Self.expiredTokens.contains(serviceCode) }
}
