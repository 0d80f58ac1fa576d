extension TOMLReader {
    /// `"…"` on one line, with escapes.
    mutating func readBasicString() throws(TOMLFault) -> String {
        advance()
        var text: [UInt8] = []
        while true {
            if isAtEnd || next == UInt8(ascii: "\n") { throw fault("a text has no closing \"") }
            if take("\"") { return String(decoding: text, as: UTF8.self) }
            if next == UInt8(ascii: "\\") {
                text += Array(try readEscape().utf8)
            } else {
                text.append(try readTextByte())
            }
        }
    }

    /// `'…'` on one line, as it is.
    mutating func readLiteralString() throws(TOMLFault) -> String {
        advance()
        var text: [UInt8] = []
        while true {
            if isAtEnd || next == UInt8(ascii: "\n") { throw fault("a text has no closing '") }
            if take("'") { return String(decoding: text, as: UTF8.self) }
            text.append(try readTextByte())
        }
    }

    /// Behind the three opening quotes, to the three closing ones, before which up to two more may stand.
    mutating func readMultiline(isLiteral: Bool) throws(TOMLFault) -> String {
        let start = line
        let quote = UInt8(ascii: isLiteral ? "'" : "\"")
        if !take("\r\n") { _ = take("\n") }
        var text: [UInt8] = []
        while true {
            if isAtEnd { throw TOMLFault(line: start, problem: "a text of several lines has no end") }
            if next == quote, byte(ahead: 1) == quote, byte(ahead: 2) == quote {
                var extra = 0
                while extra < 2, byte(ahead: 3 + extra) == quote { extra += 1 }
                text += [UInt8](repeating: quote, count: extra)
                advance(3 + extra)
                return String(decoding: text, as: UTF8.self)
            }
            if next == UInt8(ascii: "\n") || (next == UInt8(ascii: "\r") && byte(ahead: 1) == UInt8(ascii: "\n")) {
                if next == UInt8(ascii: "\r") { advance() }
                text.append(UInt8(ascii: "\n"))
                advance()
            } else if !isLiteral, next == UInt8(ascii: "\\") {
                if !skipEscapedLineBreak() { text += Array(try readEscape().utf8) }
            } else {
                text.append(try readTextByte())
            }
        }
    }

    /// A backslash at the end of a line takes away the break and all space up to the next text.
    private mutating func skipEscapedLineBreak() -> Bool {
        var distance = 1
        while byte(ahead: distance) == UInt8(ascii: " ") || byte(ahead: distance) == UInt8(ascii: "\t") {
            distance += 1
        }
        if byte(ahead: distance) == UInt8(ascii: "\r") { distance += 1 }
        guard byte(ahead: distance) == UInt8(ascii: "\n") else { return false }
        advance(distance)
        _ = takeWhile { " \t\r\n".utf8.contains($0) }
        return true
    }

    /// A byte that may stand in a text as it is.
    private mutating func readTextByte() throws(TOMLFault) -> UInt8 {
        let byte = next
        guard byte >= 0x20 && byte != 0x7F || byte == UInt8(ascii: "\t") else {
            throw fault("a control character stands in a text")
        }
        advance()
        return byte
    }

    private mutating func readEscape() throws(TOMLFault) -> String {
        let letter = byte(ahead: 1)
        switch letter {
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            advance(2)
            let count = letter == UInt8(ascii: "u") ? 4 : 8
            var digits = ""
            while digits.count < count, Character(UnicodeScalar(next)).isHexDigit, next < 0x80 {
                digits.unicodeScalars.append(UnicodeScalar(next))
                advance()
            }
            guard digits.count == count, let value = UInt32(digits, radix: 16), let scalar = UnicodeScalar(value) else {
                throw fault("\\\(Character(UnicodeScalar(letter))) needs the \(count) digits of a character")
            }
            return String(scalar)
        default:
            let plain: [UInt8: String] = [
                UInt8(ascii: "b"): "\u{8}", UInt8(ascii: "t"): "\t", UInt8(ascii: "n"): "\n",
                UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "r"): "\r", UInt8(ascii: "\""): "\"",
                UInt8(ascii: "\\"): "\\",
            ]
            guard let text = plain[letter] else {
                throw fault("an unknown escape stands in a text; a backslash is written \\\\, or the text in '…'")
            }
            advance(2)
            return text
        }
    }
}
