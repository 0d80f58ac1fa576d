extension StorageLocation {
    /// The location that a text names.
    ///
    /// - Parameters:
    ///   - text: A URI, a path that begins with `/`, `./` or `../`, or the name of a variable such as `S3_PREFIX`.
    ///   - environment: Where variables are looked up, those of the role first.
    ///   - currentDirectory: What relative paths start from: an absolute path.
    public init(
        parsing text: String, environment: RoleEnvironment, currentDirectory: String
    ) throws(StorageLocationError) {
        self = try Self.resolve(text, environment: environment, currentDirectory: currentDirectory).location
    }

    /// The location that a text names, and the variable that it was read from, if the text is the name of one.
    public static func resolve(
        _ text: String, environment: RoleEnvironment, currentDirectory: String
    ) throws(StorageLocationError) -> (location: StorageLocation, variable: String?) {
        guard let scheme = scheme(ofVariable: text) else {
            return (try parse(text, currentDirectory: currentDirectory), nil)
        }
        guard let value = environment.value(text) else {
            let asked = (environment.role.map { ["\($0.rawValue)\(text)"] } ?? []) + [text, "WALG_\(text)"]
            throw StorageLocationError(
                .missingVariable,
                "\(text) is the name of a variable, and none of \(asked.joined(separator: ", ")) is set; "
                    + "set one to a location such as \(scheme.form)")
        }
        let location: StorageLocation
        do throws(StorageLocationError) {
            location = try parse(value.text, currentDirectory: currentDirectory)
        } catch {
            throw StorageLocationError(error.reason, "\(value.variable): \(error)")
        }
        guard location.scheme == scheme else {
            throw StorageLocationError(
                .malformed,
                "\(value.variable): holds a location of \(location.scheme.rawValue), not of \(scheme.rawValue); "
                    + "use \(location.scheme.locationVariable)")
        }
        return (location, value.variable)
    }

    /// The scheme whose location a variable's name stands for: `S3_PREFIX`, also as `WALG_S3_PREFIX` or
    /// `SNAPSHOT_S3_PREFIX`.
    private static func scheme(ofVariable name: String) -> StorageScheme? {
        var base = Substring(name)
        for prefixes in [StorageRole.allCases.map(\.rawValue), ["WALG_", "WALE_"]] {
            if let prefix = prefixes.first(where: base.hasPrefix) { base = base.dropFirst(prefix.count) }
        }
        return StorageScheme.allCases.first { $0.locationVariable == base }
    }

    /// More than any storage takes; also bounds the work on what somebody sends us.
    private static let maximumBytes = 8192

    private static func parse(
        _ text: String, currentDirectory: String
    ) throws(StorageLocationError) -> StorageLocation {
        guard !text.isEmpty else { throw StorageLocationError(.malformed, "the location is empty") }
        // From here on a delimiter is a character of its own, and what looks at characters misses none.
        guard !text.hidesDelimiter else { throw malformed(text, "has a combining mark behind a punctuation mark") }
        guard text.utf8.count <= maximumBytes else {
            throw StorageLocationError(
                .malformed, "\(StorageLocationError.redacted(text)): is longer than \(maximumBytes) bytes")
        }
        if text.unicodeScalars.contains(where: \.isUnprintable) {
            throw malformed(text, "contains a control character, or bytes that are not UTF-8")
        }
        if text.first?.isWhitespace == true || text.last?.isWhitespace == true {
            throw malformed(text, "begins or ends with a space")
        }
        if text == "." || text == ".." || ["/", "./", "../"].contains(where: text.hasPrefix) {
            let path = text.hasPrefix("/") ? text : "\(currentDirectory)/\(text)"
            return StorageLocation(scheme: .file, container: "", path: try directory(path, in: text))
        }
        guard let marker = text.firstRange(of: "://") else { throw notALocation(text) }
        let name = String(text[..<marker.lowerBound])
        guard let scheme = StorageScheme(name: name) else { throw unknownScheme(name, in: text) }
        return try parse(scheme, text[marker.upperBound...], in: text)
    }

    /// What follows `://`.
    private static func parse(
        _ scheme: StorageScheme, _ rest: Substring, in text: String
    ) throws(StorageLocationError) -> StorageLocation {
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<slash]
        try refuseSecrets(scheme, authority: authority, rest: rest, in: text)
        if let mark = rest.first(where: { $0 == "?" || $0 == "#" }) {
            let what = mark == "?" ? "query" : "fragment"
            throw malformed(
                text,
                "has a \(what); settings come from variables, and a \(mark) within a name is written "
                    + "%\(mark == "?" ? "3F" : "23")")
        }
        guard let path = PercentEncoding.decode(rest[slash...]), !path.hidesDelimiter,
            !path.unicodeScalars.contains(where: \.isUnprintable)
        else {
            throw malformed(
                text, "has a % that does not begin the code of a printable UTF-8 character; a % itself is written %25")
        }
        var user: String?
        if let at = authority.lastIndex(of: "@") {
            guard scheme == .ssh else {
                throw malformed(text, "has a user; write \(scheme.form), and give the identity by variables")
            }
            let name = PercentEncoding.decode(authority[..<at])
            guard let name, !name.isEmpty, !name.hasPrefix("-"), !name.unicodeScalars.contains(where: \.isUnprintable)
            else { throw malformed(text, "has a user name that is empty or not allowed") }
            user = name
            authority = authority[authority.index(after: at)...]
        }
        switch scheme {
        case .file:
            guard authority.isEmpty || authority.lowercased() == "localhost" else {
                throw malformed(
                    text,
                    "names a host; a local directory is written file:///path, with three slashes, and a remote "
                        + "one ssh://host/path")
            }
            return StorageLocation(scheme: .file, container: "", path: try directory(path, in: text))
        case .ssh:
            let (host, port) = try host(authority, in: text)
            guard !path.isEmpty else { throw malformed(text, "has no path; write \(scheme.form)") }
            return StorageLocation(
                scheme: .ssh, container: host, path: try absolute(path, in: text), user: user, port: port)
        default:
            guard let container = PercentEncoding.decode(authority) else {
                throw malformed(text, "has a malformed \(scheme.containerWord) name")
            }
            if let problem = ContainerName.problem(container, scheme: scheme) { throw malformed(text, problem) }
            return StorageLocation(scheme: scheme, container: container, path: try prefix(path, in: text))
        }
    }

    /// Refuses `user:password@`, also where the password holds characters that would end the authority.
    private static func refuseSecrets(
        _ scheme: StorageScheme, authority: Substring, rest: Substring, in text: String
    ) throws(StorageLocationError) {
        // Up to the last `@`, in case the password has a slash: then what is before it is no port.
        guard let at = rest.lastIndex(of: "@"), let colon = rest[..<at].firstIndex(of: ":") else { return }
        let isInAuthority = authority.contains("@")
        if !isInAuthority, authority.hasPrefix("[") { return }
        let colonIsInAuthority = colon < authority.endIndex
        let afterColon = rest[rest.index(after: colon)...].prefix { $0 != "/" }
        let isPort = afterColon.allSatisfy { $0.isASCII && $0.isNumber } && scheme == .ssh
        let isAfterUser = authority.lastIndex(of: "@").map { colon > $0 } ?? false
        guard colonIsInAuthority, !isAfterUser, isInAuthority || !isPort else { return }
        let advice = scheme.secretVariable.map { "; give it in \($0)" } ?? ""
        throw StorageLocationError(
            .secretInText,
            "\(StorageLocationError.redacted(text)): a password does not belong in a location, where others can see it"
                + advice)
    }

    static func malformed(_ text: String, _ problem: String) -> StorageLocationError {
        StorageLocationError(.malformed, "\(StorageLocationError.redacted(text)): \(problem)")
    }
}

extension String {
    /// Whether an ASCII character is one with marks behind it, so that a search for the character would miss it.
    fileprivate var hidesDelimiter: Bool {
        if utf8.allSatisfy({ $0 < 0x80 }) { return false }
        return contains { character in
            let scalars = character.unicodeScalars
            guard let first = scalars.first, scalars.count > 1 else { return false }
            return first.isASCII && !first.properties.isAlphabetic
        }
    }
}
