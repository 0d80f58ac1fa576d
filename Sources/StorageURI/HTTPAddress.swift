/// The address of a service, taken apart.
struct HTTPAddress: Sendable, Hashable {
    let scheme: String
    /// Host in small letters, and port if given.
    let authority: String
    /// Empty, or beginning with a slash, without one at its end.
    let path: String

    var text: String { "\(scheme)://\(authority)\(path)" }
    var host: String { Self.host(authority) }

    /// Nil, with the reason, for what is no address. No user information gets into the reason.
    static func parse(_ text: String) -> Result<HTTPAddress, Fault> {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return .failure(Fault(problem: "is not a URL: it has a space or a character that must be encoded"))
        }
        var scheme = "https"
        var rest = Substring(text)
        if let marker = text.firstRange(of: "://") {
            scheme = text[..<marker.lowerBound].lowercased()
            rest = rest[marker.upperBound...]
        }
        if rest.contains("@") {
            return .failure(Fault(problem: "has a user or password in it, which belong in variables of their own"))
        }
        guard scheme == "http" || scheme == "https" else {
            return .failure(Fault(problem: "begins with \(shown(scheme)); it must be a URL of http or https"))
        }
        if rest.contains(where: { $0 == "?" || $0 == "#" }) {
            return .failure(Fault(problem: "has a query or fragment, which no service's address has"))
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash].lowercased()
        var path = rest[slash...]
        while path.hasSuffix("/") { path.removeLast() }
        guard isAuthority(authority) else { return .failure(Fault(problem: "has no valid host: \(shown(text))")) }
        return .success(HTTPAddress(scheme: scheme, authority: authority, path: String(path)))
    }

    struct Fault: Error { let problem: String }

    private static func isAuthority(_ authority: String) -> Bool {
        let host = host(authority)
        var rest = authority.dropFirst(host.count)
        if !rest.isEmpty {
            rest = rest.dropFirst()
            guard let port = Int(rest), (1...65535).contains(port), rest.allSatisfy(\.isNumber) else { return false }
        }
        if host.hasPrefix("[") {
            let inner = host.dropFirst().dropLast()
            return host.hasSuffix("]") && inner.contains(":")
                && inner.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
        }
        return !host.isEmpty && !host.hasPrefix("-")
            && host.utf8.allSatisfy { PercentEncoding.isUnreserved($0) && $0 != UInt8(ascii: "~") }
    }

    private static func host(_ authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return String(authority[...end]) }
        return String(authority.prefix { $0 != ":" })
    }

    static func isLoopback(authority: String) -> Bool {
        let host = host(authority)
        if host == "localhost" || host == "[::1]" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return numbers.count == 4 && numbers[0] == 127 && !numbers.contains(nil)
    }
}
