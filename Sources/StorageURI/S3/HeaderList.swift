import FoundationEssentials

/// Headers given as text: a JSON object, or `Name: value` lines, which may be those of a YAML map or list.
enum HeaderList {
    struct Fault: Error { let problem: String }

    /// What requests are made of: these follow from what is sent.
    private static let reserved: Set<String> = [
        "authorization", "content-length", "content-md5", "host", "range", "transfer-encoding", "x-amz-content-sha256",
        "x-amz-date", "x-amz-security-token",
    ]

    /// Values, which may be secret, are not in the reasons.
    static func parse(_ text: String) -> Result<[(name: String, value: String)], Fault> {
        var headers: [(name: String, value: String)] = []
        if text.drop(while: \.isWhitespace).hasPrefix("{") {
            guard let object = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)) else {
                return .failure(Fault(problem: "is not a JSON object of texts"))
            }
            headers = object.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        } else {
            for (index, line) in text.split(separator: "\n").enumerated() {
                let line = line.hasPrefix("- ") ? line.dropFirst(2) : line
                guard let colon = line.firstIndex(of: ":") else {
                    return .failure(Fault(problem: "has no “:” in line \(index + 1)"))
                }
                let value = line[line.index(after: colon)...].drop { $0 == " " }
                headers.append((unquoted(line[..<colon]), unquoted(value)))
            }
        }
        for (name, value) in headers {
            let isToken = name.utf8.allSatisfy { PercentEncoding.isUnreserved($0) && $0 != UInt8(ascii: "~") }
            guard isToken, !name.isEmpty else {
                return .failure(Fault(problem: "has no header's name in \(shown(name))"))
            }
            guard value.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else {
                return .failure(Fault(problem: "has a value for \(name) with characters that no header may have"))
            }
            guard !reserved.contains(name.lowercased()) else {
                return .failure(Fault(problem: "sets \(name), which follows from the request"))
            }
        }
        return .success(headers)
    }

    /// Without the quotation marks around it, if it has some.
    private static func unquoted(_ text: Substring) -> String {
        guard text.utf8.count >= 2, let mark = text.first, mark == "\"" || mark == "'", text.last == mark else {
            return String(text)
        }
        return String(text.dropFirst().dropLast())
    }
}
