/// Metrics in Prometheus' text format, version 0.0.4.
///
/// - Note: Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.
enum MetricsText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    static func write(_ metrics: [Metric]) -> String {
        var text = ""
        for metric in metrics { write(metric, to: &text) }
        return text
    }

    private static func write(_ metric: Metric, to text: inout String) {
        text += "# HELP \(metric.name) \(escaped(metric.help, quotes: false))\n"
        text += "# TYPE \(metric.name) \(metric.kind.rawValue)\n"
        switch metric.series {
        case .samples(let samples):
            for sample in samples { line(metric.name, sample.labels, sample.value, to: &text) }
        case .distribution(let distribution):
            var count = 0
            for (bound, added) in zip(distribution.bounds + [.infinity], distribution.counts) {
                count += added
                line(metric.name + "_bucket", [Metric.Label("le", number(bound))], Double(count), to: &text)
            }
            line(metric.name + "_sum", [], distribution.sum, to: &text)
            line(metric.name + "_count", [], Double(count), to: &text)
        }
    }

    private static func line(_ name: String, _ labels: [Metric.Label], _ value: Double, to text: inout String) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(number(value))\n"
    }

    /// Whole numbers without a fraction: positions in the WAL are long, and people read this too.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    /// A line break would end the line, a quotation mark the label.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\"" where quotes: result.append(contentsOf: "\\\"".unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
