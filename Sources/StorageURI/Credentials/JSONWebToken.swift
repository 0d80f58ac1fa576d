import Digests

/// Tokens of RFC 7519, signed as RS256, by which an account proves that it has its key.
///
/// They are written as Google's own library writes them, with a space behind each comma and colon.
enum JSONWebToken {
    enum Value {
        case text(String)
        case number(Int)
    }
    typealias Fields = [(name: String, value: Value)]

    /// - Parameters:
    ///   - header: Without `alg`.
    ///   - claims: In the order in which they are written.
    static func signed(
        header: Fields, claims: Fields, with key: RSAPrivateKey
    ) throws(RSAPrivateKey.Failure) -> String {
        let text = "\(Array(json(header).utf8).base64URL).\(Array(json(claims).utf8).base64URL)"
        return "\(text).\(try key.signature(of: text.utf8).base64URL)"
    }

    private static func json(_ fields: Fields) -> String {
        let members = fields.map { field in
            switch field.value {
            case .text(let text): "\(quoted(field.name)): \(quoted(text))"
            case .number(let number): "\(quoted(field.name)): \(number)"
            }
        }
        return "{\(members.joined(separator: ", "))}"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22, 0x5C: quoted += "\\\(Character(Unicode.Scalar(UInt8(unit))))"
            case 0x08: quoted += "\\b"
            case 0x09: quoted += "\\t"
            case 0x0A: quoted += "\\n"
            case 0x0C: quoted += "\\f"
            case 0x0D: quoted += "\\r"
            case 0x20..<0x7F: quoted.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default:
                let digits = String(unit, radix: 16)
                quoted += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)"
            }
        }
        return quoted + "\""
    }
}
