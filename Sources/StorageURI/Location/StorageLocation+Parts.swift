/// The parts of a location: what each may be, and its normal form.
extension StorageLocation {
    /// A service's limit for a whole key is 1024 bytes; the rest is for the names below the prefix.
    private static let maximumPrefixBytes = 768
    /// Linux' PATH_MAX and NAME_MAX, the names below the directory left room for.
    private static let maximumPathBytes = 3840
    private static let maximumNameBytes = 255

    /// A prefix of keys. Keys are bytes to a service, so nothing is rewritten but the slashes around the prefix.
    static func prefix(_ path: String, in text: String) throws(StorageLocationError) -> String {
        var prefix = path.dropFirst(path.hasPrefix("/") ? 1 : 0)
        while prefix.hasSuffix("/") { prefix = prefix.dropLast() }
        guard prefix.utf8.count <= maximumPrefixBytes else {
            throw malformed(text, "has a prefix of more than \(maximumPrefixBytes) bytes")
        }
        for segment in prefix.split(separator: "/", omittingEmptySubsequences: false) where !prefix.isEmpty {
            switch segment {
            case "": throw malformed(text, "has two slashes in a row, which makes a folder without a name")
            case ".", "..": throw malformed(text, "has “\(segment)” as part of its prefix")
            default: break
            }
        }
        return String(prefix)
    }

    /// A local directory.
    static func directory(_ path: String, in text: String) throws(StorageLocationError) -> String {
        guard !path.isEmpty else { throw malformed(text, "has no path; write \(StorageScheme.file.form)") }
        let path = try absolute(path, in: text)
        guard path != "/" else { throw malformed(text, "is the root directory, which cannot be a storage") }
        return path
    }

    /// An absolute path without `.`, `..`, doubled slashes and slashes at the end.
    static func absolute(_ path: String, in text: String) throws(StorageLocationError) -> String {
        var names: [Substring] = []
        for name in path.split(separator: "/") {
            switch name {
            case ".": break
            case "..": _ = names.popLast()
            default:
                guard name.utf8.count <= maximumNameBytes else {
                    throw malformed(text, "has a name of more than \(maximumNameBytes) bytes")
                }
                names.append(name)
            }
        }
        let normalized = "/\(names.joined(separator: "/"))"
        guard normalized.utf8.count <= maximumPathBytes else {
            throw malformed(text, "has a path of more than \(maximumPathBytes) bytes")
        }
        return normalized
    }

    /// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`.
    static func host(
        _ authority: Substring, in text: String
    ) throws(StorageLocationError) -> (host: String, port: Int?) {
        var host = authority
        var portText: Substring?
        let isBracketed = authority.hasPrefix("[")
        if isBracketed {
            guard let end = authority.firstIndex(of: "]") else { throw malformed(text, "has a [ without its ]") }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw malformed(text, "has something after the ]") }
            portText = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            portText = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { throw malformed(text, "has no host; write \(StorageScheme.ssh.form)") }
        let isHost = host.utf8.allSatisfy { byte in
            isBracketed
                ? byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".") || Character(UnicodeScalar(byte)).isHexDigit
                : PercentEncoding.isUnreserved(byte) && byte != UInt8(ascii: "~")
        }
        guard isHost, host.utf8.count <= 253, !host.hasPrefix("-"), !isBracketed || host.contains(":") else {
            throw malformed(text, "has a host name with characters that none may have")
        }
        guard let portText else { return (host.lowercased(), nil) }
        guard portText.allSatisfy({ $0.isASCII && $0.isNumber }), let port = Int(portText), (1...65535).contains(port)
        else { throw malformed(text, "has a port that is not 1 to 65535") }
        return (host.lowercased(), port)
    }

    /// The message for a text that has no scheme.
    static func notALocation(_ text: String) -> StorageLocationError {
        let variables = StorageScheme.allCases.map(\.locationVariable)
        let hint: String
        if let scheme = text.firstIndex(of: ":").flatMap({ StorageScheme(name: String(text[..<$0])) }) {
            hint = "; write \(scheme.form)"
        } else if let meant = NearestName.find(text.uppercased(), in: variables, limit: 2) {
            hint = "; did you mean the variable \(meant)?"
        } else if text.hasPrefix("~") {
            hint = "; the ~ is the shell's, and it left it as it is: write the directory's whole path"
        } else if text.contains("@") || text.contains(":") {
            hint = "; a remote directory is written \(StorageScheme.ssh.form)"
        } else {
            hint = "; a directory is written with its whole path, or begins with ./"
        }
        return malformed(text, "is neither a URI nor a path nor the name of a variable such as S3_PREFIX\(hint)")
    }

    /// The message for `name://…`.
    static func unknownScheme(_ name: String, in text: String) -> StorageLocationError {
        let hint: String
        switch name.lowercased() {
        case "http", "https":
            hint = "a service's address goes into AWS_ENDPOINT_URL, and the location is written s3://bucket/prefix"
        case "gcs": hint = "did you mean gs?"
        case "abfs", "abfss", "wasb", "wasbs": hint = "did you mean azure?"
        case "scp", "rsync": hint = "did you mean ssh?"
        default:
            let known = StorageScheme.allCases.flatMap(\.names)
            hint = NearestName.find(name.lowercased(), in: known).map { "did you mean \($0)?" } ?? ""
        }
        let shownName = name.contains("@") ? StorageLocationError.redacted(name) : shown(name)
        return StorageLocationError(
            .unknownScheme,
            "\(StorageLocationError.redacted(text)): unknown scheme \(shownName)\(hint.isEmpty ? "" : "; \(hint)") "
                + "(known: \(StorageScheme.listing))")
    }
}
