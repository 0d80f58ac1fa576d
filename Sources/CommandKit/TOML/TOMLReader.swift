/// A cursor over the text of a TOML document: lines, headers and keys.
struct TOMLReader {
    private let bytes: [UInt8]
    private(set) var offset = 0
    private(set) var line = 1
    /// Arrays and tables within each other; more than this is no configuration.
    static let deepestNesting = 32

    init(_ text: String) {
        var all = Array(text.utf8)
        if all.starts(with: [0xEF, 0xBB, 0xBF]) { all.removeFirst(3) }
        bytes = all
    }

    var isAtEnd: Bool { offset >= bytes.count }
    /// The byte at the cursor; 0, which no document may hold, at the end.
    var next: UInt8 { offset < bytes.count ? bytes[offset] : 0 }

    func byte(ahead distance: Int) -> UInt8 { offset + distance < bytes.count ? bytes[offset + distance] : 0 }

    mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where offset < bytes.count {
            if bytes[offset] == UInt8(ascii: "\n") { line += 1 }
            offset += 1
        }
    }

    /// Whether `text` stands at the cursor; if so, the cursor moves behind it.
    mutating func take(_ text: StaticString) -> Bool {
        let found = text.withUTF8Buffer { wanted in
            offset + wanted.count <= bytes.count && bytes[offset..<offset + wanted.count].elementsEqual(wanted)
        }
        if found { advance(text.utf8CodeUnitCount) }
        return found
    }

    mutating func takeWhile(_ condition: (UInt8) -> Bool) -> String {
        let start = offset
        while !isAtEnd, condition(next) { advance() }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    func fault(_ problem: String) -> TOMLFault { TOMLFault(line: line, problem: problem) }

    /// What stands at the cursor, for messages.
    var shownNext: String {
        if isAtEnd { return "the end of the file" }
        if next == UInt8(ascii: "\n") || next == UInt8(ascii: "\r") { return "the end of the line" }
        let rest = String(decoding: bytes[offset..<min(bytes.count, offset + 4)], as: UTF8.self)
        return "'\(String(rest.prefix(1)).onOneLine)'"
    }

    mutating func skipSpaces() { while next == UInt8(ascii: " ") || next == UInt8(ascii: "\t") { advance() } }

    /// Moves to the first thing that is neither space, line break nor comment.
    mutating func skipBlankLines() {
        while true {
            skipSpaces()
            if next == UInt8(ascii: "#") {
                while !isAtEnd, next != UInt8(ascii: "\n") { advance() }
            } else if next == UInt8(ascii: "\n") || (next == UInt8(ascii: "\r") && byte(ahead: 1) == UInt8(ascii: "\n"))
            {
                advance()
            } else {
                return
            }
        }
    }

    /// Nothing but a comment may follow on this line.
    mutating func endLine() throws(TOMLFault) {
        skipSpaces()
        if next == UInt8(ascii: "#") { while !isAtEnd, next != UInt8(ascii: "\n") { advance() } }
        if next == UInt8(ascii: "\r") && byte(ahead: 1) == UInt8(ascii: "\n") { advance() }
        guard isAtEnd || next == UInt8(ascii: "\n") else { throw fault("\(shownNext) is not expected behind a value") }
        advance()
    }

    /// Goes on after a fault in the line that began as number `first`: with the line after it.
    mutating func resume(behind first: Int) {
        offset = 0
        line = 1
        while !isAtEnd, line <= first { advance() }
    }

    /// `[name]` or `[[name]]`, with the cursor at its beginning.
    mutating func readHeader() throws(TOMLFault) -> (path: [String], isArray: Bool) {
        advance()
        let isArray = next == UInt8(ascii: "[")
        if isArray { advance() }
        let path = try readKey(ending: UInt8(ascii: "]"))
        if isArray {
            guard next == UInt8(ascii: "]") else { throw fault("a header that begins with [[ ends with ]]") }
            advance()
        }
        try endLine()
        return (path, isArray)
    }

    /// A key, its parts between dots, and the byte that ends it.
    mutating func readKey(ending end: UInt8) throws(TOMLFault) -> [String] {
        var parts: [String] = []
        while true {
            skipSpaces()
            parts.append(try readKeyPart())
            skipSpaces()
            if next == end {
                advance()
                return parts
            }
            guard next == UInt8(ascii: ".") else {
                let wanted = Character(UnicodeScalar(end))
                throw fault(
                    "'\(wanted)' is missing behind \(parts.joined(separator: ".").onOneLine): there is \(shownNext)")
            }
            advance()
            guard parts.count < Self.deepestNesting else { throw fault("a key has too many parts") }
        }
    }

    private mutating func readKeyPart() throws(TOMLFault) -> String {
        if next == UInt8(ascii: "\"") { return try readBasicString() }
        if next == UInt8(ascii: "'") { return try readLiteralString() }
        let part = takeWhile { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard !part.isEmpty else { throw fault("a name is missing: there is \(shownNext)") }
        return part
    }
}
