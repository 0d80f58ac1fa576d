/// What a client says first: who it is and what it wants.
struct StartupPacket: Hashable {
    /// 3 and the minor version, as PostgreSQL packs them.
    let minorVersion: UInt16
    let parameters: [String: String]
    /// Protocol extensions that the client asks for. There are none here.
    let extensions: [String]

    static let majorVersion: UInt16 = 3

    /// Parses what follows the length and the version: names and values, each ended by a zero, and one zero more.
    init(minorVersion: UInt16, _ bytes: [UInt8]) throws(ServerError) {
        var parameters: [String: String] = [:]
        var extensions: [String] = []
        var rest = bytes[...]
        func field(_ rest: inout ArraySlice<UInt8>) throws(ServerError) -> String {
            guard let end = rest.firstIndex(of: 0) else {
                throw .violation("invalid startup packet layout: expected terminator as last byte")
            }
            defer { rest = rest[(end + 1)...] }
            return String(decoding: rest[..<end], as: UTF8.self)
        }
        while true {
            let name = try field(&rest)
            if name.isEmpty { break }
            let value = try field(&rest)
            if name.hasPrefix("_pq_.") { extensions.append(name) } else { parameters[name] = value }
        }
        guard rest.isEmpty else {
            throw .violation("invalid startup packet layout: expected terminator as last byte")
        }
        self.minorVersion = minorVersion
        self.parameters = parameters
        self.extensions = extensions.sorted()
    }

    /// The user's name.
    ///
    /// - Throws: What the client is told when it is none that is served here.
    func checkedUser() throws(ServerError) -> String {
        guard let user = parameters["user"], !user.isEmpty else {
            throw .fatal("28000", "no PostgreSQL user name specified in startup packet")
        }
        switch parameters["replication"]?.lowercased() {
        case "true", "tru", "tr", "t", "yes", "ye", "y", "on", "1": return user
        case "database":
            throw .fatal(
                "0A000", "this is a source of WAL and not a database: logical replication is not available",
                hint: "Use physical replication (replication=true), or connect to the primary.")
        case nil, "false", "fals", "fal", "fa", "f", "no", "n", "off", "of", "0":
            throw .fatal(
                "0A000", "this is a source of WAL and not a database: only physical replication is available",
                hint: "Connect with replication=true, or to the primary.")
        case .some:
            throw .fatal(
                "22023", "invalid value for parameter \"replication\": \"\(printable(parameters["replication"]!))\"")
        }
    }

    var applicationName: String { printable(parameters["application_name"] ?? "") }
}

/// Printable ASCII and at most 63 bytes of it, as PostgreSQL makes names that clients give (`pg_clean_ascii`): they get
/// into logs and status.
func printable(_ text: String) -> String {
    String(decoding: text.utf8.prefix(63).map { (32...126).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
}
