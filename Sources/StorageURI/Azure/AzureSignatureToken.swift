/// A shared access signature (SAS) as it is handed out: the query of a URL.
struct AzureSignatureToken: Sendable {
    /// What is added to a request's query.
    let query: Secret
    /// What it allows and until when, for people; nothing of the signature.
    let words: [String]

    struct Fault: Error { let problem: String }

    init(_ token: Secret) throws(Fault) {
        var text = Substring(token.reveal())
        if text.hasPrefix("?") { text.removeFirst() }
        while text.hasSuffix("&") { text.removeLast() }
        guard !text.contains("?"), !text.contains("://") else {
            throw Fault(problem: "is a URL: the token is what stands behind its question mark")
        }
        var fields: [String: String] = [:]
        var query: [String] = []
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let value = PercentEncoding.decode(parts[1]) else {
                throw Fault(problem: "is no shared access signature: it is not name=value pairs with & between them")
            }
            fields[String(parts[0])] = value
            // Encoded anew: a token that was decoded on its way has a plus where a query must have a code.
            query.append("\(PercentEncoding.encode(String(parts[0])))=\(PercentEncoding.encode(value))")
        }
        guard fields["sig"]?.isEmpty == false else {
            throw Fault(problem: "is no shared access signature: it has no sig in it")
        }
        self.query = Secret(query.joined(separator: "&"))
        func word(_ name: String) -> String { message(fields[name] ?? "") }
        var words: [String] = []
        if !word("sp").isEmpty { words.append("permissions \(word("sp"))") }
        if !word("si").isEmpty { words.append("policy \(word("si"))") }
        if !word("se").isEmpty { words.append("until \(word("se"))") }
        self.words = words
    }
}
