/// Files of sections and settings, as the tools of several vendors keep them.
enum INIText {
    /// The sections of a file, in its order. Of lines that are neither comment, header nor setting no notice is taken,
    /// as the other tools do.
    static func sections(_ text: String) -> [(name: String, settings: [String: String])] {
        var sections: [(name: String, settings: [String: String])] = []
        var parent: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let isIndented = line.first?.isWhitespace == true
            let content = trimmed(line)
            if content.isEmpty || content.hasPrefix("#") || content.hasPrefix(";") { continue }
            if content.hasPrefix("["), let end = content.firstIndex(of: "]") {
                sections.append((String(trimmed(content[..<end].dropFirst())), [:]))
                parent = nil
                continue
            }
            guard !sections.isEmpty, let equals = content.firstIndex(of: "=") else { continue }
            var name = trimmed(content[..<equals]).lowercased()
            let value = withoutComment(trimmed(content[content.index(after: equals)...]))
            if isIndented, let parent { name = "\(parent).\(name)" } else { parent = value.isEmpty ? name : nil }
            sections[sections.count - 1].settings[name] = String(value)
        }
        return sections
    }

    private static func withoutComment(_ value: Substring) -> Substring {
        for marker in [" #", " ;", "\t#", "\t;"] {
            if let range = value.firstRange(of: marker) { return trimmed(value[..<range.lowerBound]) }
        }
        return value
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
