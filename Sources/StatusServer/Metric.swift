/// One metric with all its series, as a monitoring system reads it.
///
/// Names follow Prometheus: base units, `_total` behind counters.
public struct Metric: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case gauge, counter, histogram
    }

    /// One series of a gauge or a counter.
    public struct Sample: Sendable, Equatable {
        public let labels: [Label]
        public let value: Double

        public init(_ value: Double, _ labels: [Label] = []) {
            self.value = value
            self.labels = labels
        }
    }

    public struct Label: Sendable, Equatable {
        public let name: String
        /// Any text.
        public let value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// One series of a histogram.
    public struct Distribution: Sendable, Equatable {
        /// Upper bounds, rising; what is above the last one belongs to a bucket of its own.
        public let bounds: [Double]
        /// How many values fell into each bucket and no lower one: one more than there are bounds.
        public let counts: [Int]
        public let sum: Double

        public init(bounds: [Double], counts: [Int], sum: Double) {
            precondition(counts.count == bounds.count + 1, "a bucket for each bound, and one above")
            self.bounds = bounds
            self.counts = counts
            self.sum = sum
        }
    }

    enum Series: Sendable, Equatable {
        case samples([Sample])
        case distribution(Distribution)
    }

    let name: String
    let help: String
    let kind: Kind
    let series: Series

    /// - Parameter value: Nil where there is none to tell: the metric has no series then.
    public static func gauge(_ name: String, _ help: String, _ value: Double?) -> Metric {
        gauge(name, help, value.map { [Sample($0)] } ?? [])
    }

    /// - Parameter samples: No two with the same labels.
    public static func gauge(_ name: String, _ help: String, _ samples: [Sample]) -> Metric {
        Metric(name: name, help: help, kind: .gauge, series: .samples(samples))
    }

    public static func counter(_ name: String, _ help: String, _ value: Int) -> Metric {
        Metric(name: name, help: help, kind: .counter, series: .samples([Sample(Double(value))]))
    }

    public static func histogram(_ name: String, _ help: String, _ distribution: Distribution) -> Metric {
        Metric(name: name, help: help, kind: .histogram, series: .distribution(distribution))
    }
}
