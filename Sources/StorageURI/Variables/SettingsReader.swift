/// Reads declared variables into values, and gathers what is wrong with them.
struct SettingsReader {
    let environment: RoleEnvironment
    private(set) var faults: [SettingFault] = []
    /// Which variable each value came from, by the name of its declaration.
    private(set) var origins: [String: String] = [:]

    /// Whether the role has an endpoint of its own, which secrets of others are not sent to.
    private let isForeign: Bool

    /// - Parameter endpoints: Where the storage's secrets are sent.
    init(_ environment: RoleEnvironment, endpoints: [EnvironmentVariable] = []) {
        self.environment = environment
        let inherits = environment.role.map { environment.variables[$0.credentialsVariable] == "inherit" } ?? true
        isForeign = !inherits && endpoints.contains { environment.value($0, in: .ownOnly) != nil }
    }

    mutating func fault(_ variable: String, _ problem: String) {
        faults.append(SettingFault(variable: variable, problem: problem))
    }

    mutating func text(_ declaration: EnvironmentVariable, mayHaveLines: Bool = false) -> RoleEnvironment.Value? {
        let scope: RoleEnvironment.Scope = declaration.isSecret && isForeign ? .ownOnly : .any
        guard let value = environment.value(declaration, in: scope) else { return nil }
        origins[declaration.name] = value.variable
        if value.text.utf8.contains(where: { $0 < 0x20 && !($0 == 0x0A && mayHaveLines) || $0 == 0x7F }) {
            fault(value.variable, "contains a control character")
            return nil
        }
        return value
    }

    /// The path of a text file, which must be there and readable.
    mutating func file(_ declaration: EnvironmentVariable) -> String? {
        text(declaration).map { checkedFile($0) }
    }

    /// The path, after a look at the file.
    mutating func checkedFile(_ value: RoleEnvironment.Value) -> String {
        do throws(TextFile.Failure) { _ = try TextFile.read(value.text) } catch {
            switch error {
            case .missing: fault(value.variable, "no such file: \(shown(value.text))")
            case .unreadable(let why): fault(value.variable, "\(shown(value.text)): \(why)")
            }
        }
        return value.text
    }

    mutating func boolean(_ declaration: EnvironmentVariable) -> Bool? {
        guard let value = text(declaration) else { return nil }
        guard let parsed = Self.boolean(value.text) else {
            fault(value.variable, "is neither true nor false: \(shown(value.text))")
            return nil
        }
        return parsed
    }

    static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "t", "1", "yes", "on": true
        case "false", "f", "0", "no", "off": false
        default: nil
        }
    }

    mutating func integer(_ declaration: EnvironmentVariable, in range: ClosedRange<Int>, default fallback: Int) -> Int
    {
        guard let value = text(declaration) else { return fallback }
        return checked(value, Int(value.text), in: range, form: "a whole number") ?? fallback
    }

    /// A number of bytes, with an optional unit: `20971520`, `20MiB`, `20 MB`.
    mutating func bytes(_ declaration: EnvironmentVariable, in range: ClosedRange<Int>, default fallback: Int) -> Int {
        guard let value = text(declaration) else { return fallback }
        let units = [
            "": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 1000, "mb": 1_000_000,
            "gb": 1_000_000_000,
        ]
        let bytes = Self.scaled(value.text, units: units)
        return checked(value, bytes, in: range, form: "a size in bytes (or with KiB, MiB, GiB)") ?? fallback
    }

    /// A time, as a number of `unit` (`ms`, `s` or `min`) or with a unit of its own: `500ms`, `30s`, `5min`.
    mutating func duration(
        _ declaration: EnvironmentVariable, unit: String, in range: ClosedRange<Int>, default fallback: Int
    ) -> Duration {
        var units = ["ms": 1, "s": 1000, "min": 60_000, "m": 60_000, "h": 3_600_000]
        units[""] = units[unit]
        guard let value = text(declaration) else { return .milliseconds(fallback) }
        let milliseconds = Self.scaled(value.text, units: units)
        let form = "a number of \(["ms": "milliseconds", "min": "minutes"][unit] ?? "seconds")"
        return .milliseconds(checked(value, milliseconds, in: range, form: form, unit: " ms") ?? fallback)
    }

    private mutating func checked(
        _ value: RoleEnvironment.Value, _ number: Int?, in range: ClosedRange<Int>, form: String, unit: String = ""
    ) -> Int? {
        guard let number else {
            fault(value.variable, "is not \(form): \(shown(value.text))")
            return nil
        }
        guard range.contains(number) else {
            fault(
                value.variable, "is \(number)\(unit); it must be \(range.lowerBound) to \(range.upperBound)\(unit)")
            return nil
        }
        return number
    }

    /// A whole number followed by one of `units`; nil when it is neither or too large.
    private static func scaled(_ text: String, units: [String: Int]) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).lowercased().filter { $0 != " " }
        guard let number = Int(digits), let factor = units[unit] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}

/// A value as a message may show it: short, on one line, without control characters.
func shown(_ text: some StringProtocol) -> String {
    let printable = text.unicodeScalars.prefix(80).map { $0.isUnprintable ? "\u{FFFD}" : String($0) }
    return "“\(printable.joined())\(text.unicodeScalars.count > 80 ? "…" : "")”"
}
