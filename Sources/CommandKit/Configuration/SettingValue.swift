/// Why a text is no value of a setting, in words that fit behind the key: "needs a unit, such as 5min".
public struct ValueFault: Error, Sendable, Equatable {
    public let reason: String
    public init(_ reason: String) { self.reason = reason }
}

/// A type that a setting can have: read from text and printed as text, the same in the file, in the environment and
/// on the command line.
public protocol SettingValue: Sendable {
    /// What the documentation calls this type.
    static var typeName: String { get }
    init(settingText text: String) throws(ValueFault)
    var settingText: String { get }
}

extension String: SettingValue {
    public static var typeName: String { "text" }
    public init(settingText text: String) throws(ValueFault) {
        guard !text.isEmpty else { throw ValueFault("is empty") }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw ValueFault("has a control character in it")
        }
        self = text
    }
    public var settingText: String { self }
}

extension Int: SettingValue {
    public static var typeName: String { "number" }
    public init(settingText text: String) throws(ValueFault) {
        guard let number = Int(text) else { throw ValueFault("'\(text)' is not a whole number") }
        self = number
    }
    public var settingText: String { String(self) }
}

extension Duration: SettingValue {
    public static var typeName: String { "duration" }

    /// Units as PostgreSQL has them, the larger ones first.
    private static let units: [(name: String, microseconds: Int)] = [
        ("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1),
    ]

    public init(settingText text: String) throws(ValueFault) {
        let microseconds = try parseQuantity(
            text, units: Self.units.map { ($0.name, $0.microseconds) }, example: "30s or 5min")
        self = .microseconds(microseconds)
    }

    /// In the largest unit that leaves no rest: `90s`, `5min`. What is finer than a microsecond is left out.
    public var settingText: String {
        let (seconds, attoseconds) = components
        let microseconds = Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
        return printQuantity(microseconds, units: Self.units.map { ($0.name, $0.microseconds) }, zero: "0s")
    }
}

/// A number of bytes, written with PostgreSQL's units, which are powers of 1024: `16kB`, `64MB`, `1GB`.
public struct ByteSize: SettingValue, Hashable, Comparable {
    public static var typeName: String { "size" }
    public let bytes: Int

    public init(bytes: Int) { self.bytes = bytes }

    private static let units: [(name: String, factor: Int)] = [
        ("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1),
    ]

    public init(settingText text: String) throws(ValueFault) {
        bytes = try parseQuantity(text, units: Self.units.map { ($0.name, $0.factor) }, example: "64MB or 1GB")
    }

    /// In the largest unit that leaves no rest.
    public var settingText: String {
        printQuantity(bytes, units: Self.units.map { ($0.name, $0.factor) }, zero: "0B")
    }

    public static func < (a: ByteSize, b: ByteSize) -> Bool { a.bytes < b.bytes }
}

/// `number unit`, a space between them or none; 0 needs no unit. The result is in the smallest unit.
private func parseQuantity(
    _ text: String, units: [(name: String, factor: Int)], example: String
) throws(ValueFault) -> Int {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty else { throw ValueFault("'\(text)' does not begin with a number, such as \(example)") }
    guard let number = Int(digits) else { throw ValueFault("'\(text)' is too large") }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }
    if unit.isEmpty {
        guard number == 0 else { throw ValueFault("'\(text)' needs a unit, such as \(example)") }
        return 0
    }
    guard let factor = units.first(where: { $0.name == unit })?.factor else {
        let names = units.reversed().map(\.name).joined(separator: ", ")
        throw ValueFault("'\(text)' has an unknown unit '\(unit)'; units are \(names)")
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    guard !overflow else { throw ValueFault("'\(text)' is too large") }
    return product
}

private func printQuantity(_ value: Int, units: [(name: String, factor: Int)], zero: String) -> String {
    guard value != 0, let unit = units.first(where: { value % $0.factor == 0 }) else { return zero }
    return "\(value / unit.factor)\(unit.name)"
}
