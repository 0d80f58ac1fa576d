import StorageURI

/// Where a bucket's requests go.
struct S3Endpoint: Sendable {
    enum Service: Sendable, Equatable {
        /// Amazon's own hosts, which follow from the region.
        case amazon(dualStack: Bool)
        /// Any other: scheme, host with its port, and the path before the bucket, without a slash at its end.
        case other(scheme: String, authority: String, path: String)
    }

    let service: Service
    let bucket: String
    /// The bucket in the path, not in the host name.
    let usesPathStyle: Bool

    var isAmazon: Bool { if case .amazon = service { true } else { false } }

    /// False over plain HTTP, where nothing but our own digests protects what is sent.
    var isEncrypted: Bool { if case .other("http", _, _) = service { false } else { true } }

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
