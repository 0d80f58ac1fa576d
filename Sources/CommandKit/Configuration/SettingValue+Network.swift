public import Logging
import StorageURI

/// An address to listen on: `127.0.0.1:9898`, `[::1]:9898`, `localhost:9898`; port 0 lets the system choose.
public struct HostPort: SettingValue, Hashable {
    public static var typeName: String { "address" }
    public let host: String
    public let port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    public init(settingText text: String) throws(ValueFault) {
        guard let colon = text.lastIndex(of: ":") else {
            throw ValueFault("'\(text)' has no port; write host:port, such as 127.0.0.1:9898")
        }
        var host = text[..<colon]
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw ValueFault("'\(text)' is not host:port; an IPv6 address stands in brackets, such as [::1]:9898")
        }
        let digits = text[text.index(after: colon)...]
        guard let port = UInt16(digits), digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
            throw ValueFault("'\(text)' has no port between 0 and 65535 behind its colon")
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "/" }) else {
            throw ValueFault("'\(text)' has no host before its colon; * listens on all addresses")
        }
        self.init(host: String(host), port: port)
    }

    public var settingText: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// What a server binds to: `*` is every address, of IPv4 as well.
    public var bindingHost: String { host == "*" ? "::" : host }
}

/// An address to listen on, or `off`.
public enum ListenAddress: SettingValue, Hashable {
    case off
    case on(HostPort)

    public static var typeName: String { "address or off" }

    public init(settingText text: String) throws(ValueFault) {
        self = text == "off" ? .off : .on(try HostPort(settingText: text))
    }

    public var settingText: String {
        switch self {
        case .off: "off"
        case .on(let address): address.settingText
        }
    }
}

extension Logger.Level: SettingValue {
    public static var typeName: String { "log level" }
    public init(settingText text: String) throws(ValueFault) {
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValueFault("'\(text)' is none of \(names)")
        }
        self = level
    }
    public var settingText: String { rawValue }
}

/// How to reach a PostgreSQL server, as libpq reads it: `host=db1 user=replicator` or `postgresql://replicator@db1/`.
///
/// It holds no password: that one comes from `PGPASSWORD`, `PGPASSFILE` or `~/.pgpass`, as for every libpq client.
public struct ConnectionInfo: SettingValue, Hashable {
    public static var typeName: String { "connection" }
    public let text: String

    public init(settingText text: String) throws(ValueFault) {
        self.text = try String(settingText: text)
        guard !Self.holdsPassword(text) else {
            throw ValueFault("has a password in it; pass that by PGPASSWORD, or by a password file and PGPASSFILE")
        }
    }

    public var settingText: String { text }

    private static func holdsPassword(_ text: String) -> Bool {
        for scheme in ["postgresql://", "postgres://"] where text.hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            let authority = rest.prefix { $0 != "/" && $0 != "?" }
            if let at = authority.lastIndex(of: "@"), authority[..<at].contains(":") { return true }
            let query = rest.drop { $0 != "?" }.dropFirst()
            return query.split(separator: "&").contains { isPasswordName($0.prefix { $0 != "=" }) }
        }
        // keyword = value pairs; a value may be quoted and hold spaces and '='.
        var isInQuotes = false
        var isEscaped = false
        var word = ""
        for character in text {
            if isEscaped {
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "'" {
                isInQuotes.toggle()
            } else if isInQuotes {
                continue
            } else if character == "=" {
                let name = word.split(separator: " ").last ?? ""
                if isPasswordName(name) { return true }
                word = ""
            } else {
                word.append(character.isWhitespace ? " " : character)
            }
        }
        return false
    }

    private static func isPasswordName(_ name: Substring) -> Bool { name == "password" || name == "sslpassword" }
}

/// How a storage was named by its user: `s3://bucket/prefix`, `/srv/zenith`, `S3_PREFIX`.
///
/// A relative path becomes absolute: the daemon and the next command may run elsewhere.
public struct StorageText: SettingValue, Hashable {
    public static var typeName: String { "storage" }
    public let text: String

    public init(settingText text: String) throws(ValueFault) {
        let given = try String(settingText: text)
        let isRelative = given == "." || given == ".." || given.hasPrefix("./") || given.hasPrefix("../")
        self.text = isRelative ? absolutePath(given) : given
    }

    public var settingText: String { text }
}

/// A file or directory of this machine. A relative path becomes absolute.
public struct LocalPath: SettingValue, Hashable {
    public static var typeName: String { "path" }
    public let text: String

    public init(settingText text: String) throws(ValueFault) {
        self.text = absolutePath(try String(settingText: text))
    }

    public var settingText: String { text }
}
