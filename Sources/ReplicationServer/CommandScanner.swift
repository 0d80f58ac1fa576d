import PostgresFormat

/// Cuts a replication command into words, PostgreSQL's `repl_scanner.l`.
struct CommandScanner {
    enum Token: Hashable {
        /// A word, in lower case: a keyword or a name.
        case word(String)
        /// A name in double quotes, as it stands.
        case quoted(String)
        /// Text in single quotes.
        case text(String)
        case number(UInt64)
        case position(LSN)
        /// One of `( ) , . ;`.
        case mark(UInt8)
    }

    private let bytes: [UInt8]
    private var offset = 0

    init(_ command: [UInt8]) { bytes = command }

    /// The next token; nil at the end.
    mutating func next() throws(ServerError) -> Token? {
        while offset < bytes.count, Self.isBlank(bytes[offset]) { offset += 1 }
        guard offset < bytes.count else { return nil }
        let first = bytes[offset]
        switch first {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return try quoted(by: first)
        case _ where Self.isWord(first): return try word()
        default:
            offset += 1
            guard Array("(),.;".utf8).contains(first) else { throw Self.syntaxError }
            return .mark(first)
        }
    }

    static let syntaxError = ServerError.error("42601", "syntax error")

    private mutating func word() throws(ServerError) -> Token {
        let start = offset
        while offset < bytes.count, Self.isWord(bytes[offset]) { offset += 1 }
        let word = String(decoding: bytes[start..<offset], as: UTF8.self)
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "/") {
            offset += 1
            let low = offset
            while offset < bytes.count, Self.isWord(bytes[offset]) { offset += 1 }
            guard let lsn = LSN(word + "/" + String(decoding: bytes[low..<offset], as: UTF8.self)) else {
                throw Self.syntaxError
            }
            return .position(lsn)
        }
        if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[start]) {
            guard let number = UInt64(word) else { throw Self.syntaxError }
            return .number(number)
        }
        return .word(word.lowercased())
    }

    private mutating func quoted(by quote: UInt8) throws(ServerError) -> Token {
        var content: [UInt8] = []
        offset += 1
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            if byte != quote {
                content.append(byte)
            } else if offset < bytes.count, bytes[offset] == quote {  // doubled, it stands for itself
                content.append(quote)
                offset += 1
            } else {
                let text = String(decoding: content, as: UTF8.self)
                return quote == UInt8(ascii: "'") ? .text(text) : .quoted(text)
            }
        }
        throw .error("42601", "unterminated quoted string")
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...0xFF:
            true
        default: false
        }
    }
}
