/// An element of a service's answer: its name, without a namespace, its text, and what is in it.
struct XMLElement {
    let name: String
    fileprivate(set) var text = ""
    fileprivate(set) var children: [XMLElement] = []
    /// What stands in its tag behind the name, as it is.
    private let attributes: String

    fileprivate init(name: String, attributes: String) {
        self.name = name
        self.attributes = attributes
    }

    /// The value of an attribute, which is taken as it stands.
    func attribute(_ name: String) -> String? {
        guard let start = attributes.firstRange(of: " \(name)=") else { return nil }
        let value = attributes[start.upperBound...]
        guard let quote = value.first, quote == "\"" || quote == "'" else { return nil }
        return value.dropFirst().firstIndex(of: quote).map { String(value[..<$0].dropFirst()) }
    }

    /// The text of the first child of that name.
    subscript(name: String) -> String? { children.first { $0.name == name }?.text }

    func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// The answer's outermost element; nil where it is not XML, or XML of a kind that no service sends.
    static func parse(_ bytes: [UInt8]) -> XMLElement? {
        var reader = XMLReader(bytes: bytes)
        return reader.document()
    }
}

/// Reads the part of XML that services write: elements, text, the five named entities and numbers of characters.
/// Comments and processing instructions are passed over. A document type is refused, and with it all
/// entities that could grow; so is depth, since answers are shallow.
///
/// Not FoundationXML's parser: it takes an answer that was cut short for a whole one, and some malformed tags end the
/// process (Swift 6.3.1 on Linux).
private struct XMLReader {
    private static let maximumDepth = 16

    let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() -> XMLElement? {
        var path: [XMLElement] = []
        var text: [UInt8] = []
        var root: XMLElement?
        // Text belongs to the innermost element that is open.
        func flush() -> Bool {
            defer { text.removeAll(keepingCapacity: true) }
            if text.isEmpty { return true }
            guard let string = String(validating: text, as: UTF8.self) else { return false }
            if path.isEmpty { return string.utf8.allSatisfy { $0 <= 0x20 } }
            path[path.count - 1].text += string
            return true
        }
        _ = skips("\u{FEFF}")
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "&") {
                guard let character = entity() else { return nil }
                text.append(contentsOf: String(character).utf8)
            } else if byte != UInt8(ascii: "<") {
                text.append(byte)
                position += 1
            } else if skips("<![CDATA[") {
                guard let content = until("]]>") else { return nil }
                text.append(contentsOf: content)
            } else if skips("<!--") {
                guard until("-->") != nil else { return nil }
            } else if skips("<?") {
                guard until("?>") != nil else { return nil }
            } else if skips("</") {
                guard flush(), let tag = until(">"), let element = path.popLast(),
                    Self.localName(tag) == element.name
                else { return nil }
                if path.isEmpty { root = element } else { path[path.count - 1].children.append(element) }
            } else {
                position += 1
                guard flush(), root == nil, path.count < Self.maximumDepth, let tag = openingTag() else { return nil }
                let element = XMLElement(name: tag.name, attributes: tag.attributes)
                if !tag.isEmpty {
                    path.append(element)
                } else if path.isEmpty {
                    root = element
                } else {
                    path[path.count - 1].children.append(element)
                }
            }
        }
        return flush() && path.isEmpty ? root : nil
    }

    private mutating func skips(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard bytes[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    /// What comes before `text`, which is passed over too; nil when it does not come.
    private mutating func until(_ text: StaticString) -> ArraySlice<UInt8>? {
        let start = position
        while position < bytes.count {
            let end = position
            if skips(text) { return bytes[start..<end] }
            position += 1
        }
        return nil
    }

    /// The rest of an opening tag, after `<`. A `>` within the quotes of an attribute does not end it.
    private mutating func openingTag() -> (name: String, attributes: String, isEmpty: Bool)? {
        let start = position
        var quote: UInt8?
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: ">") {
                let tag = bytes[start..<position - 1]
                let name = Self.localName(tag.prefix { $0 != UInt8(ascii: "/") })
                let attributes = String(decoding: tag.drop { $0 > 0x20 }, as: UTF8.self)
                return name.isEmpty || name.hasPrefix("!") ? nil : (name, attributes, tag.last == UInt8(ascii: "/"))
            } else if byte == UInt8(ascii: "<") {
                return nil
            }
        }
        return nil
    }

    /// The name that a tag begins with, without the namespace before its colon.
    private static func localName(_ tag: ArraySlice<UInt8>) -> String {
        let name = tag.prefix { $0 > 0x20 }
        return String(decoding: name.split(separator: UInt8(ascii: ":")).last ?? [], as: UTF8.self)
    }

    private mutating func entity() -> Character? {
        let longest = 12
        guard let end = bytes[position...].prefix(longest).firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let name = String(decoding: bytes[position + 1..<end], as: UTF8.self)
        position = end + 1
        switch name {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard name.hasPrefix("#") else { return nil }
            let isHexadecimal = name.hasPrefix("#x")
            let number = UInt32(name.dropFirst(isHexadecimal ? 2 : 1), radix: isHexadecimal ? 16 : 10)
            return number.flatMap(Unicode.Scalar.init).map { Character($0) }
        }
    }
}

extension String {
    /// The text as it stands inside an element; nil where it holds a character that XML cannot express.
    var xmlText: String? {
        var escaped = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\u{D}": escaped += "&#13;"
            case "\u{9}", "\u{A}": escaped.unicodeScalars.append(scalar)
            case "\u{0}"..<"\u{20}", "\u{FFFE}", "\u{FFFF}": return nil
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
