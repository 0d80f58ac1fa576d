/// A command line as a POSIX shell takes it apart, with quotes and backslashes and nothing else: no variable, no
/// pattern, no comment.
enum CommandWords {
    struct Fault: Error { let problem: String }

    private static let space: Set<Unicode.Scalar> = [" ", "\t", "\r", "\n"]

    static func split(_ text: String) throws(Fault) -> [String] {
        var words: [String] = []
        var word: String.UnicodeScalarView?
        var quote: Unicode.Scalar?
        func add(_ scalar: Unicode.Scalar) {
            if word == nil { word = String.UnicodeScalarView() }
            word?.append(scalar)
        }
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == quote {
                quote = nil
            } else if scalar == "\\", quote != "'" {
                guard let next = rest.popFirst() else { throw Fault(problem: "ends in a backslash") }
                // Between quotes it stands for itself, except before what means something there.
                if quote != nil, next != quote, next != "\\" { add(scalar) }
                add(next)
            } else if quote != nil {
                add(scalar)
            } else if scalar == "'" || scalar == "\"" {
                quote = scalar
                if word == nil { word = String.UnicodeScalarView() }  // quotes around nothing make an empty word
            } else if space.contains(scalar) {
                if let ended = word { words.append(String(ended)) }
                word = nil
            } else {
                add(scalar)
            }
        }
        guard quote == nil else { throw Fault(problem: "has a quotation mark that nothing ends") }
        if let word { words.append(String(word)) }
        return words
    }
}
