import TestSupport
import Testing

@testable import StatusServer

@Suite("The text of metrics") struct MetricsTextTests {
    @Test("metrics read as Prometheus has them")
    func text() {
        let metrics: [Metric] = [
            .gauge("a_bytes", "How much.", 123_456_789_012_345_680),
            .gauge("absent", "Nothing to tell.", nil),
            .counter("b_total", "How often.", 3),
            .gauge(
                "c", "Labels.",
                [Metric.Sample(1.5, [Metric.Label("x", "1"), Metric.Label("y", "")]), Metric.Sample(-2)]),
            .histogram("d_seconds", "How long.", Metric.Distribution(bounds: [0.5, 1], counts: [2, 0, 1], sum: 7.25)),
        ]
        #expect(
            MetricsText.write(metrics) == """
                # HELP a_bytes How much.
                # TYPE a_bytes gauge
                a_bytes 123456789012345680
                # HELP absent Nothing to tell.
                # TYPE absent gauge
                # HELP b_total How often.
                # TYPE b_total counter
                b_total 3
                # HELP c Labels.
                # TYPE c gauge
                c{x="1",y=""} 1.5
                c -2
                # HELP d_seconds How long.
                # TYPE d_seconds histogram
                d_seconds_bucket{le="0.5"} 2
                d_seconds_bucket{le="1"} 2
                d_seconds_bucket{le="+Inf"} 3
                d_seconds_sum 7.25
                d_seconds_count 3

                """)
    }

    @Test(
        "any text fits into a label",
        arguments: ["a\"b", "a\\b", "a\nb", "\\n", "\"", "\\", "é\u{301}", "a\r\nb", "{},="])
    func escapes(value: String) throws {
        let metric = Metric.gauge("m", "Help with \\ and\nmore.", [Metric.Sample(1, [Metric.Label("l", value)])])
        let parsed = try MetricsParser(MetricsText.write([metric]))
        #expect(try parsed.value("m", ["l": value]) == 1)
        #expect(parsed.families["m"]?.help == "Help with \\ and\nmore.")
    }

    @Test(
        "numbers are those of the format",
        arguments: [
            (0, "0"), (-1, "-1"), (0.1, "0.1"), (1e300, "1e+300"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
            (.nan, "NaN"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) { #expect(MetricsText.number(value) == text) }
}
