import Digests

/// Tokens of RFC 7519, signed as RS256, by which an account proves that it has its key.
///
/// They are written as the vendors' own libraries for Python write them, which differ in the space behind a comma or colon.
enum JSONWebToken {
    enum Value {
        case text(String)
        case texts([String])
        case number(Int)
    }
    typealias Fields = [(name: String, value: Value)]

    /// - Parameters:
    ///   - header: With `alg`, which is `RS256`.
    ///   - claims: In the order in which they are written.
    ///   - space: What stands behind commas and colons.
    static func signed(
        header: Fields, claims: Fields, space: String = " ", with key: RSAPrivateKey
    ) throws(RSAPrivateKey.Failure) -> String {
        let parts = [header, claims].map { Array(json($0, space).utf8).base64URL }
        let text = parts.joined(separator: ".")
        return "\(text).\(try key.signature(of: text.utf8).base64URL)"
    }

    private static func json(_ fields: Fields, _ space: String) -> String {
        let members = fields.map { field in
            let value =
                switch field.value {
                case .text(let text): quoted(text)
                case .texts(let texts): "[\(texts.map(quoted).joined(separator: ",\(space)"))]"
                case .number(let number): String(number)
                }
            return "\(quoted(field.name)):\(space)\(value)"
        }
        return "{\(members.joined(separator: ",\(space)"))}"
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
