/// Where requests to an account's blobs go.
public struct AzureService: Sendable, Hashable {
    /// `http` or `https`.
    public let scheme: String
    /// The host, with its port if it has one.
    public let authority: String
    /// What stands before the container: empty, or beginning with a slash and without one at its end.
    public let path: String
    /// The account's name, where it is known.
    public let account: String?

    public init(scheme: String, authority: String, path: String, account: String?) {
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.account = account
    }

    /// An account at its usual host.
    init(account: String, suffix: String, scheme: String = "https") {
        self.init(scheme: scheme, authority: "\(account).blob.\(suffix)", path: "", account: account)
    }

    /// A service by its address.
    ///
    /// - Parameter account: Nil: it is taken from the address, if it is there.
    init(_ address: HTTPAddress, account: String?) {
        let host = address.host
        let isNumber = host.hasPrefix("[") || host.allSatisfy { $0.isNumber || $0 == "." }
        let labels = host.split(separator: ".")
        var path = address.path
        var account = account
        if isNumber || labels.count == 1 {
            // Emulators: no account can be in such a name.
            if path.isEmpty, let account { path = "/\(account)" }
            account = account ?? path.split(separator: "/").last.map(String.init)
        } else if labels.count > 2, labels.dropFirst().contains("blob") {
            account = account ?? labels.first.map(String.init)
        }
        self.init(scheme: address.scheme, authority: address.authority, path: path, account: account)
    }

    /// False over plain http.
    public var isEncrypted: Bool { scheme == "https" }

    /// True where plain http stays within this machine.
    var isLoopback: Bool { HTTPAddress.isLoopback(authority: authority) }

    public var text: String { "\(scheme)://\(authority)\(path)" }

    /// What is wrong with the name of an account; nil when nothing is.
    static func problem(account: String) -> String? {
        let isName =
            (3...24).contains(account.utf8.count)
            && account.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            }
        return isName ? nil : "is \(shown(account)); an account's name has 3 to 24 small letters and digits"
    }
}
