/// Where requests to OSS go.
public struct OSSEndpoint: Sendable, Hashable {
    /// Where the bucket's name goes.
    public enum Style: String, Sendable, CaseIterable {
        /// Before the host.
        case virtual
        /// Into the path.
        case path
        /// Nowhere: the host is bound to the bucket.
        case cname
    }

    /// `http` or `https`.
    public var scheme: String
    /// The host, and its port if it is not the scheme's own.
    public var authority: String
    public var style: Style

    public init(scheme: String, authority: String, style: Style) {
        self.scheme = scheme
        let ownPort = scheme == "http" ? ":80" : ":443"
        self.authority = authority.hasSuffix(ownPort) ? String(authority.dropLast(ownPort.count)) : authority
        self.style = style
    }

    /// The public address of a region.
    init(region: String) { self.init(scheme: "https", authority: "oss-\(region).aliyuncs.com", style: .virtual) }

    /// False over plain http.
    public var isEncrypted: Bool { scheme == "https" }

    /// The host as it stands in the `Host` header.
    public func host(bucket: String) -> String { style == .virtual ? "\(bucket).\(authority)" : authority }

    /// The path of an object, or of the bucket itself, as it is sent.
    public func target(bucket: String, key: String?) -> String {
        let path = style == .path ? "/\(bucket)/\(key ?? "")" : "/\(key ?? "")"
        return PercentEncoding.encode(path, keeping: "/")
    }

    /// Whether a host is one of Alibaba Cloud's own.
    public var isAlibaba: Bool { authority.hasSuffix(".aliyuncs.com") }

    /// The region in the name of one of Alibaba Cloud's hosts: `oss-cn-hangzhou[-internal].aliyuncs.com` or
    /// `cn-hangzhou[-internal].oss.aliyuncs.com`. Nil where there is none, as in that of accelerated access.
    var region: String? {
        let labels = authority.split(separator: ".")
        guard isAlibaba, let first = labels.first else { return nil }
        var name = String(first)
        if labels.count == 3, name.hasPrefix("oss-") {
            name.removeFirst(4)
        } else if labels.count != 4 || labels[1] != "oss" {
            return nil
        }
        if name.hasSuffix("-internal") { name.removeLast(9) }
        return name.hasPrefix("accelerate") || !name.contains("-") ? nil : name
    }

    /// The address that the service names as the bucket's, and its region; nil where it is not to be followed: only
    /// Alibaba Cloud's own hosts are sent to one another.
    public func moved(to host: String) -> (endpoint: OSSEndpoint, region: String)? {
        let host = host.lowercased()
        let other = OSSEndpoint(scheme: scheme, authority: host, style: style)
        let isName = host.utf8.allSatisfy { PercentEncoding.isUnreserved($0) && $0 != UInt8(ascii: "~") }
        guard isAlibaba, style == .virtual, isName, other != self, let region = other.region else { return nil }
        return (other, region)
    }
}
