/// Where requests to S3 go.
public enum S3Service: Sendable, Hashable {
    /// Amazon's own hosts, which follow from the region.
    case amazon(dualStack: Bool)
    /// Any other: `http` or `https`, the host with its port if it has one, and the path before the bucket: empty, or
    /// beginning with a slash and without one at its end.
    case other(scheme: String, authority: String, path: String)

    /// Whether a host is one of Amazon's.
    public var isAmazon: Bool {
        guard case .other(_, let authority, _) = self else { return true }
        let host = authority.split(separator: ":").first ?? ""
        return host.hasSuffix(".amazonaws.com") || host.hasSuffix(".amazonaws.com.cn")
    }

    /// False over plain http.
    public var isEncrypted: Bool { if case .other("http", _, _) = self { false } else { true } }

    /// Speaks http or https to the same host.
    mutating func speak(_ scheme: String) {
        switch self {
        case .other(_, let authority, let path): self = .other(scheme: scheme, authority: authority, path: path)
        case .amazon: break  // it has https only
        }
    }

    /// True where plain http stays within this machine.
    var isLoopback: Bool {
        guard case .other(_, let authority, _) = self else { return false }
        return HTTPAddress.isLoopback(authority: authority)
    }
}
