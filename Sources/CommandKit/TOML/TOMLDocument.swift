/// A value of a TOML document, version 1.0.
enum TOMLValue: Hashable {
    case string(String)
    case integer(Int)
    case float(Double)
    case boolean(Bool)
    /// A date, a time, or both, as it was written.
    case dateTime(String)
    case array([TOMLValue])
    case table([String: TOMLValue])

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .string: "text"
        case .integer: "number"
        case .float: "number with a fraction"
        case .boolean: "boolean"
        case .dateTime: "date or time"
        case .array: "array"
        case .table: "table"
        }
    }
}

/// What is wrong at one place of a document.
struct TOMLFault: Error, Hashable {
    let line: Int
    let problem: String
}

/// A TOML document as the list of what it says, in order and with line numbers, for messages that name the place.
///
/// Reading goes on behind a fault with the next line, so that all faults are found at once.
struct TOMLDocument {
    /// `key = value`, with the names of the tables it stands in: `["server", "port"]`.
    struct Entry: Hashable {
        let path: [String]
        let value: TOMLValue
        let line: Int
    }
    /// `[name]`, or `[[name]]`.
    struct Table: Hashable {
        let path: [String]
        let line: Int
    }

    private(set) var entries: [Entry] = []
    private(set) var tables: [Table] = []
    private(set) var faults: [TOMLFault] = []

    /// What each path stands for, by its parts joined with a character that no key of a file can hold unescaped.
    private var defined: [[String]: Definition] = [:]
    private enum Definition {
        case value
        case header
        /// Made by the way, for something inside it.
        case implied
        /// Made by dots in a key: a header may not open it again.
        case dotted
        case arrayOfTables(count: Int)
    }

    init(_ text: String) {
        var reader = TOMLReader(text)
        /// The path that the keys below the last header belong to.
        var current: [String] = []
        while true {
            reader.skipBlankLines()
            if reader.isAtEnd { break }
            let line = reader.line
            do throws(TOMLFault) {
                if reader.next == UInt8(ascii: "[") {
                    let header = try reader.readHeader()
                    current = try open(header.path, isArray: header.isArray, line: line)
                    tables.append(Table(path: current, line: line))
                } else {
                    let key = try reader.readKey(ending: UInt8(ascii: "="))
                    let value = try reader.readValue()
                    try reader.endLine()
                    try define(current, key, line: line)
                    entries.append(Entry(path: current + key, value: value, line: line))
                }
            } catch {
                faults.append(error)
                reader.resume(behind: line)
            }
        }
    }

    /// Notes a table's header; the path is that of its keys.
    private mutating func open(_ path: [String], isArray: Bool, line: Int) throws(TOMLFault) -> [String] {
        var whole: [String] = []
        for part in path.dropLast() {
            whole.append(part)
            switch defined[whole] {
            case nil: defined[whole] = .implied
            case .value: throw TOMLFault(line: line, problem: "\(shown(whole)) has a value already and is no table")
            case .arrayOfTables(let count): whole.append("\(count - 1)")
            case .header, .implied, .dotted: break
            }
        }
        whole.append(path[path.count - 1])
        switch (defined[whole], isArray) {
        case (nil, true):
            defined[whole] = .arrayOfTables(count: 1)
            return whole + ["0"]
        case (.arrayOfTables(let count), true):
            defined[whole] = .arrayOfTables(count: count + 1)
            return whole + ["\(count)"]
        case (nil, false), (.implied, false):
            defined[whole] = .header
            return whole
        default:
            throw TOMLFault(line: line, problem: "\(shown(whole)) is given twice")
        }
    }

    /// Notes a key, which may be dotted.
    private mutating func define(_ table: [String], _ key: [String], line: Int) throws(TOMLFault) {
        var whole = table
        for part in key.dropLast() {
            whole.append(part)
            switch defined[whole] {
            case nil: defined[whole] = .dotted
            case .dotted: break
            default: throw TOMLFault(line: line, problem: "\(shown(whole)) is given twice")
            }
        }
        whole.append(key[key.count - 1])
        guard defined[whole] == nil else { throw TOMLFault(line: line, problem: "\(shown(whole)) is given twice") }
        defined[whole] = .value
    }

    private func shown(_ path: [String]) -> String { path.joined(separator: ".").onOneLine }
}
