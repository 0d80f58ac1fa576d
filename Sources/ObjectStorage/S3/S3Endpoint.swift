import StorageURI

/// Where a bucket's requests go.
struct S3Endpoint: Sendable {
    let service: S3Service
    let bucket: String
    /// The bucket in the path, not in the host name.
    let usesPathStyle: Bool

    var isAmazon: Bool { service.isAmazon }

    /// False over plain HTTP, where nothing but our own digests protects what is sent.
    var isEncrypted: Bool { service.isEncrypted }

    private var scheme: String { isEncrypted ? "https" : "http" }

    /// The host as it stands in the `Host` header, the port left out where it is the scheme's own.
    func host(region: String) -> String {
        let base: String
        switch service {
        case .amazon(let dualStack):
            let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
            base = "s3.\(dualStack ? "dualstack." : "")\(region).\(domain)"
        case .other(let scheme, let authority, _):
            let ownPort = scheme == "http" ? ":80" : ":443"
            base = authority.hasSuffix(ownPort) ? String(authority.dropLast(ownPort.count)) : authority
        }
        return usesPathStyle ? base : "\(bucket).\(base)"
    }

    /// The path of an object, or of the bucket itself, not encoded.
    func path(key: String?) -> String {
        var path = ""
        if case .other(_, _, let base) = service { path = base }
        if usesPathStyle { path += "/\(bucket)" }
        // With the bucket in the path a slash behind it is left out: some services take it for another resource.
        if let key { return "\(path)/\(key)" }
        return usesPathStyle ? path : "\(path)/"
    }

    func url(_ request: SignatureV4.Request) -> String { "\(scheme)://\(request.host)\(request.target)" }
}
