extension TOMLReader {
    /// Any value, with the cursor before it; what follows stays.
    mutating func readValue(depth: Int = 0) throws(TOMLFault) -> TOMLValue {
        guard depth < Self.deepestNesting else { throw fault("arrays and tables are nested too deeply") }
        skipSpaces()
        switch next {
        case UInt8(ascii: "\""):
            return .string(take("\"\"\"") ? try readMultiline(isLiteral: false) : try readBasicString())
        case UInt8(ascii: "'"):
            return .string(take("'''") ? try readMultiline(isLiteral: true) : try readLiteralString())
        case UInt8(ascii: "["): return .array(try readArray(depth: depth))
        case UInt8(ascii: "{"): return .table(try readInlineTable(depth: depth))
        default: return try readPlainValue()
        }
    }

    private mutating func readArray(depth: Int) throws(TOMLFault) -> [TOMLValue] {
        advance()
        var values: [TOMLValue] = []
        while true {
            skipBlankLines()
            if take("]") { return values }
            values.append(try readValue(depth: depth + 1))
            skipBlankLines()
            if take("]") { return values }
            guard take(",") else { throw fault("',' or ']' is missing in an array: there is \(shownNext)") }
        }
    }

    private mutating func readInlineTable(depth: Int) throws(TOMLFault) -> [String: TOMLValue] {
        advance()
        var table: [String: TOMLValue] = [:]
        skipSpaces()
        if take("}") { return table }
        while true {
            let key = try readKey(ending: UInt8(ascii: "="))
            let value = try readValue(depth: depth + 1)
            guard Self.insert(value, at: key[...], into: &table) else {
                throw fault("\(key.joined(separator: ".").onOneLine) is given twice")
            }
            skipSpaces()
            if take("}") { return table }
            guard take(",") else { throw fault("',' or '}' is missing in a table: there is \(shownNext)") }
        }
    }

    private static func insert(
        _ value: TOMLValue, at key: ArraySlice<String>, into table: inout [String: TOMLValue]
    ) -> Bool {
        guard let name = key.first else { return false }
        if key.count == 1 {
            return table.updateValue(value, forKey: name) == nil
        }
        var inner: [String: TOMLValue] = [:]
        if let present = table[name] {
            guard case .table(let values) = present else { return false }
            inner = values
        }
        guard insert(value, at: key.dropFirst(), into: &inner) else { return false }
        table[name] = .table(inner)
        return true
    }

    /// A boolean, a number, a date: what is written without quotes.
    private mutating func readPlainValue() throws(TOMLFault) -> TOMLValue {
        var text = takeWhile { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"),
                UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "/"):
                true
            default: false
            }
        }
        // Between a date and its time a space may stand.
        if isDate(text), next == UInt8(ascii: " "), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte(ahead: 1)) {
            advance()
            text += " " + takeWhile { !"\r\n,]}# \t".utf8.contains($0) }
        }
        if text.isEmpty { throw fault("a value is missing: there is \(shownNext)") }
        if text == "true" || text == "false" { return .boolean(text == "true") }
        if let number = integer(text) { return .integer(number) }
        if let number = float(text) { return .float(number) }
        if isDate(String(text.prefix(10))) || isTime(text) { return .dateTime(text) }
        throw fault("'\(text)' is no value; a text stands in quotes")
    }

    private func integer(_ text: String) -> Int? {
        guard let digits = withoutUnderscores(text) else { return nil }
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) {
            let rest = digits.dropFirst(2)
            return rest.first == "-" || rest.first == "+" ? nil : Int(rest, radix: radix)
        }
        let unsigned = digits.first == "-" || digits.first == "+" ? digits.dropFirst() : digits[...]
        guard unsigned == "0" || unsigned.first != "0" else { return nil }
        return Int(digits)
    }

    private func float(_ text: String) -> Double? {
        let unsigned = text.first == "-" || text.first == "+" ? text.dropFirst() : text[...]
        if unsigned == "inf" { return text.first == "-" ? -.infinity : .infinity }
        if unsigned == "nan" { return .nan }
        guard let digits = withoutUnderscores(text), let first = unsigned.first, first.isNumber,
            unsigned.allSatisfy({ "0123456789_.eE+-".contains($0) }),
            first != "0" || unsigned.dropFirst().first?.isNumber != true,
            unsigned.contains(where: { ".eE".contains($0) }), !digits.contains(".e"), !digits.contains(".E"),
            digits.last != "."
        else { return nil }
        return Double(digits)
    }

    /// An underscore stands between two digits.
    private func withoutUnderscores(_ text: String) -> String? {
        let characters = Array(text)
        for (index, character) in characters.enumerated() where character == "_" {
            guard index > 0, index + 1 < characters.count, characters[index - 1].isHexDigit,
                characters[index + 1].isHexDigit
            else { return nil }
        }
        return text.filter { $0 != "_" }
    }

    private func isDate(_ text: String) -> Bool { matches(text, "0000-00-00") }

    private func isTime(_ text: String) -> Bool { matches(String(text.prefix(8)), "00:00:00") }

    /// Whether each 0 of the pattern is a digit of the text, and the rest is the same.
    private func matches(_ text: String, _ pattern: String) -> Bool {
        text.utf8.count == pattern.utf8.count
            && zip(text.utf8, pattern.utf8).allSatisfy { byte, wanted in
                wanted == UInt8(ascii: "0") ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : byte == wanted
            }
    }
}
