import Foundation

/// Reads Prometheus' text format, version 0.0.4, and refuses whatever a strict reader might.
public struct MetricsParser {
    public struct Family: Sendable {
        public var type = ""
        public var help = ""
        public var samples: [Sample] = []
    }

    public struct Sample: Sendable {
        public let name: String
        public let labels: [String: String]
        public let value: Double
    }

    public struct Fault: Error, CustomStringConvertible {
        public let description: String
    }

    public private(set) var families: [String: Family] = [:]
    private var current = ""

    public init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Fault(description: "no line break at the end") }
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            do { try read(String(line)) } catch let fault as Fault {
                throw Fault(description: "\(fault) in: \(line)")
            }
        }
        for (name, family) in families { try check(name, family) }
    }

    /// The value of the only series with these labels.
    public func value(_ name: String, _ labels: [String: String] = [:]) throws -> Double {
        let found = families.values.flatMap(\.samples).filter { $0.name == name && $0.labels == labels }
        guard found.count == 1 else {
            throw Fault(description: "\(found.count) series \(name) \(labels)")
        }
        return found[0].value
    }

    private mutating func read(_ line: String) throws {
        if line.hasPrefix("# HELP ") {
            let parts = line.dropFirst(7).split(separator: " ", maxSplits: 1)
            guard parts.count == 2, Self.isName(parts[0]) else { throw Fault(description: "no help") }
            current = String(parts[0])
            guard families[current] == nil else { throw Fault(description: "a metric twice") }
            families[current] = Family(help: try Self.unescaped(parts[1], quotes: false))
        } else if line.hasPrefix("# TYPE ") {
            let parts = line.dropFirst(7).split(separator: " ")
            guard parts.count == 2, parts[0] == current, families[current]?.type == "",
                ["gauge", "counter", "histogram"].contains(parts[1])
            else { throw Fault(description: "a type out of place") }
            families[current]?.type = String(parts[1])
        } else {
            let sample = try Self.sample(line)
            let suffixes = families[current]?.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
            guard suffixes.contains(where: { sample.name == current + $0 }), families[current]?.type != "" else {
                throw Fault(description: "a series away from its metric")
            }
            let others = families[current]?.samples ?? []
            guard !others.contains(where: { $0.name == sample.name && $0.labels == sample.labels }) else {
                throw Fault(description: "a series twice")
            }
            families[current]?.samples.append(sample)
        }
    }

    private func check(_ name: String, _ family: Family) throws {
        guard (family.type == "counter") == name.hasSuffix("_total") else {
            throw Fault(description: "\(name) is a \(family.type)")
        }
        if family.type == "counter", family.samples.contains(where: { $0.value < 0 }) {
            throw Fault(description: "\(name) counts below zero")
        }
        guard family.type == "histogram" else { return }
        let buckets = family.samples.filter { $0.name == name + "_bucket" }
        let bounds = try buckets.map { bucket in
            guard bucket.labels.count == 1, let text = bucket.labels["le"] else {
                throw Fault(description: "\(name) has a bucket without a bound")
            }
            return try Self.number(text)
        }
        let counts = buckets.map(\.value)
        guard bounds.last == .infinity, bounds == Array(Set(bounds)).sorted(), counts == counts.sorted(),
            try value(name + "_count") == counts.last, try value(name + "_sum") >= 0
        else { throw Fault(description: "\(name) is no histogram: \(bounds) \(counts)") }
    }

    private static func isName(_ text: some StringProtocol) -> Bool {
        text.range(of: "^[a-zA-Z_:][a-zA-Z0-9_:]*$", options: .regularExpression) != nil
    }

    private static func sample(_ line: String) throws -> Sample {
        var rest = Substring(line)
        let name = rest.prefix { $0 != "{" && $0 != " " }
        guard isName(name) else { throw Fault(description: "no name") }
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            repeat {
                rest = rest.dropFirst()
                let label = rest.prefix { $0 != "=" }
                rest = rest.dropFirst(label.count)
                guard isName(label), !label.contains(":"), rest.hasPrefix("=\"") else {
                    throw Fault(description: "no label")
                }
                rest = rest.dropFirst(2)
                var value: [Character] = []
                while let character = rest.first, character != "\"" {
                    value.append(character)
                    rest = rest.dropFirst()
                    if character == "\\", let next = rest.first {
                        value.append(next)
                        rest = rest.dropFirst()
                    }
                }
                guard rest.first == "\"" else { throw Fault(description: "a label without an end") }
                rest = rest.dropFirst()
                let text = try unescaped(String(value)[...], quotes: true)
                guard labels.updateValue(text, forKey: String(label)) == nil else {
                    throw Fault(description: "a label twice")
                }
            } while rest.first == ","
            guard rest.first == "}" else { throw Fault(description: "labels without an end") }
            rest = rest.dropFirst()
        }
        guard rest.first == " " else { throw Fault(description: "no value") }
        return Sample(name: String(name), labels: labels, value: try number(rest.dropFirst()))
    }

    private static func number(_ text: some StringProtocol) throws -> Double {
        switch text {
        case "+Inf": return .infinity
        case "-Inf": return -.infinity
        case "NaN": return .nan
        default:
            guard text.range(of: "^-?[0-9]+(\\.[0-9]+)?(e[-+]?[0-9]+)?$", options: .regularExpression) != nil,
                let value = Double(text)
            else { throw Fault(description: "\(text) is no number") }
            return value
        }
    }

    private static func unescaped(_ text: Substring, quotes: Bool) throws -> String {
        var result = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                switch character {
                case "n": result += "\n"
                case "\\": result += "\\"
                case "\"" where quotes: result += "\""
                default: throw Fault(description: "\\\(character)")
                }
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        guard !isEscaped else { throw Fault(description: "nothing behind \\") }
        return result
    }
}
