import PostgresFormat

/// The setting `synchronous_standby_names`: `a, b`, `2 (a, b, c)`, `FIRST 2 (a, b, c)`, `ANY 2 (a, b, c)`.
///
/// The grammar is that of PostgreSQL's `syncrep_gram.y`; names are compared without regard to case, as the server does.
public struct SynchronousStandbyNames: Sendable, Equatable {
    /// How many of the standby servers each commit waits for.
    public let count: Int
    /// Whether any of them will do; otherwise the first ones in the list count.
    public let isQuorum: Bool
    /// In lower case; `*` stands for every standby.
    public let names: [String]

    /// - Returns: Nil for text that a server would not take. An empty text has no names.
    public init?(_ text: String) {
        var words = Words(text[...])
        guard let all = words.all() else { return nil }
        var rest = all[...]
        var count = 1
        var isQuorum = false
        var hasCount = false
        if let first = rest.first, !first.isQuoted, rest.dropFirst().first?.isNumber == true,
            ["any", "first"].contains(first.text.lowercased())
        {
            isQuorum = first.text.lowercased() == "any"
            rest.removeFirst()
        }
        if let number = rest.first, number.isNumber, rest.dropFirst().first?.isMark("(") == true,
            rest.last?.isMark(")") == true
        {
            guard let value = Int(number.text), value > 0 else { return nil }
            count = value
            hasCount = true
            rest = rest.dropFirst(2).dropLast()
        }
        guard !isQuorum || hasCount else { return nil }
        var names: [String] = []
        while let word = rest.popFirst() {
            guard !word.isMark("("), !word.isMark(")"), !word.isMark(",") else { return nil }
            names.append(word.text.lowercased())
            guard let comma = rest.popFirst() else { break }
            guard comma.isMark(","), !rest.isEmpty else { return nil }
        }
        guard !hasCount || !names.isEmpty else { return nil }
        self.count = count
        self.isQuorum = isQuorum
        self.names = names
    }

    /// Whether commits may wait for a standby of this name.
    public func contains(_ name: String) -> Bool { names.contains(name.lowercased()) || names.contains("*") }

    private struct Word {
        let text: String
        let isQuoted: Bool
        var isNumber: Bool { !isQuoted && text.utf8.allSatisfy { (48...57).contains($0) } }
        func isMark(_ mark: String) -> Bool { !isQuoted && text == mark }
    }

    private struct Words {
        private var rest: Substring

        init(_ text: Substring) { rest = text }

        /// Nil where a quote is not closed, or a character begins no word.
        mutating func all() -> [Word]? {
            var words: [Word] = []
            while true {
                rest = rest.drop(while: \.isWhitespace)
                guard let first = rest.first else { return words }
                if "(),*".contains(first) {
                    words.append(Word(text: String(rest.removeFirst()), isQuoted: false))
                } else if first == "\"" {
                    guard let word = takeQuoted(&rest), !word.isEmpty else { return nil }
                    words.append(Word(text: word, isQuoted: true))
                } else {
                    let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "$" }
                    guard !word.isEmpty else { return nil }
                    words.append(Word(text: String(word), isQuoted: false))
                    rest = rest[word.endIndex...]
                }
            }
        }
    }
}
