import StorageURI

/// The proxies that the environment names, by the rules that curl has made common.
public struct HTTPProxies: Sendable {
    public var http: String?
    public var https: String?
    /// Hosts and domains reached directly, separated by commas; `*` for all.
    public var except: String

    public init(http: String? = nil, https: String? = nil, except: String = "") {
        self.http = http
        self.https = https
        self.except = except
    }

    /// Looks up `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`. The upper-case forms count too, save `HTTP_PROXY`:
    /// a web server sets that one from a request's `Proxy:` header.
    public init(lookup: (String) -> String?) {
        func value(_ names: String...) -> String? {
            for name in names { if let text = lookup(name), !text.isEmpty { return text } }
            return nil
        }
        let all = value("all_proxy", "ALL_PROXY")
        http = value("http_proxy") ?? all
        https = value("https_proxy", "HTTPS_PROXY") ?? all
        except = value("no_proxy", "NO_PROXY") ?? ""
    }
}

/// How a transport behaves, for all of its requests.
public struct HTTPTransportSettings: Sendable {
    public var proxies = HTTPProxies()
    /// A file of certificates in PEM form to trust in place of the system's.
    public var caFile: String?
    public var connectTimeout: Duration = .seconds(10)
    /// How long a transfer may lie still before it is given up.
    public var stallTimeout: Duration = .seconds(60)
    /// The most requests under way, and connections open, at a time. More wait for their turn.
    public var maximumConnections = 32
    public var userAgent = "zenith"

    public init() {}

    /// Room beside the uploads for what is read and listed meanwhile.
    private static let otherConnections = 32

    /// A storage's transport, with the proxies of the environment.
    init(_ settings: CommonSettings, environment: RoleEnvironment) {
        proxies = HTTPProxies { environment.value($0)?.text }
        caFile = settings.certificateAuthorityFile
        maximumConnections = settings.uploadConcurrency + Self.otherConnections
    }
}
