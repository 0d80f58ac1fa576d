import FoundationEssentials

/// Prints results: for people as text, with `--json` as a document that only ever gains fields.
///
/// JSON has its keys sorted, dates in ISO 8601 and UTC, LSNs as PostgreSQL writes them, and sizes in bytes.
public func printJSON(_ value: some Encodable) throws {
    StandardOutput.line(try jsonText(value))
}

/// The text that `printJSON` prints.
public func jsonText(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// The same in one line, for results of which there are many: one document a line.
public func jsonLine(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Rows under headings, each column as wide as its widest cell.
public struct Table: Sendable {
    public enum Alignment: Sendable { case left, right }

    private let columns: [(heading: String, alignment: Alignment)]
    private var rows: [[String]] = []

    public init(_ columns: (heading: String, alignment: Alignment)...) { self.columns = columns }

    /// Adds a row; it has one cell a column.
    public mutating func add(_ cells: String...) {
        precondition(cells.count == columns.count, "a cell for each column")
        rows.append(cells.map(\.onOneLine))
    }

    public var text: String {
        let widths = columns.indices.map { column in
            rows.reduce(columns[column].heading.count) { max($0, $1[column].count) }
        }
        return ([columns.map(\.heading)] + rows).map { row in
            var line = ""
            for column in columns.indices {
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                line += column == 0 ? "" : "  "
                line += columns[column].alignment == .left ? row[column] + padding : padding + row[column]
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    public func print() { StandardOutput.write(text) }
}

/// `720 MB`, `1.6 GB`: bytes for people, in powers of 1024, with about three digits.
public func describeBytes(_ bytes: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    var value = Double(max(0, bytes))
    var unit = 0
    while value >= 1023.5, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    // Up to 9.9 with a decimal, so that a bar does not stand still.
    if unit > 0, value < 9.95 {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
    return "\(Int(value.rounded())) \(units[unit])"
}

/// `0:02`, `12:34`, `3:05:00`.
public func describeSeconds(_ seconds: Double) -> String {
    let whole = Int(min(max(0, seconds), 359_999).rounded())
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
}
