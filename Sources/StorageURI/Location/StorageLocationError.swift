/// Why a text names no storage. No secret that the text may hold is in it.
public struct StorageLocationError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Reason: Sendable, Equatable {
        /// The text is not a location.
        case malformed
        case unknownScheme
        /// The text holds a password or another secret.
        case secretInText
        /// The text is the name of a variable that is not set.
        case missingVariable
    }

    public let reason: Reason
    public let description: String

    init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }

    /// A location as a message may show it: without user information, without query and fragment, cut when long.
    static func redacted(_ text: String) -> String {
        var rest = Substring(text).unicodeScalars[...]
        var start = ""
        if let marker = text.utf8.firstRange(of: "://".utf8) {
            start = String(text[..<marker.upperBound])
            rest = rest[marker.upperBound...]
        }
        if let at = rest.lastIndex(of: "@") {
            if start.unicodeScalars.contains("@") { start = "" }
            start += "…@"
            rest = rest[rest.index(after: at)...]
        } else if let at = start.unicodeScalars.lastIndex(of: "@") {
            start = "…" + plain(start.unicodeScalars[at...])
        }
        if let mark = rest.firstIndex(where: { $0 == "?" || $0 == "#" }) {
            return shown(start + plain(rest[...mark]) + "…")
        }
        let authority = rest.prefix { $0 != "/" }
        if let colon = authority.firstIndex(of: ":"), !start.isEmpty, !authority.starts(with: ["["]) {
            let port = authority[authority.index(after: colon)...]
            // What is no port may be a key's secret.
            if port.count > 5 {
                return shown(start + plain(authority[...colon]) + "…" + plain(rest[authority.endIndex...]))
            }
        }
        return shown(start + plain(rest))
    }

    private static func plain(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
