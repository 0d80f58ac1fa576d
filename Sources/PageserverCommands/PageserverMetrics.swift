import CommandKit
import PageStore
import PostgresFormat
import StatusServer

extension PageserverStatus {
    /// All of it as a monitoring system reads it; docs/commands.md explains each.
    var metrics: [Metric] {
        func name(_ rest: String) -> String { "zenith_pageserver_\(rest)" }
        func position(_ text: String?) -> Double? { text.flatMap { LSN($0) }.map { Double($0.rawValue) } }
        return [
            .gauge(
                name("build_info"), "The version that runs; always 1.",
                [Metric.Sample(1, [Metric.Label("version", zenithVersion)])]),
            .gauge(
                name("state"), "1 for the state that the pageserver is in, 0 for the others.",
                Self.states.map { Metric.Sample($0 == state ? 1 : 0, [Metric.Label("state", $0)]) }),
            .gauge(
                name("snapshot_lsn_bytes"), "Position of the newest snapshot, wherever it is.",
                position(newestSnapshotLSN)),
            .gauge(
                name("pushed_snapshot_lsn_bytes"), "Position of the newest snapshot in storage.",
                position(latestSnapshotLSN)),
            .gauge(name("unpushed_bytes"), "What is left to bring into storage.", Double(bytesLeft)),
            .counter(name("push_failures_total"), "Pushes that did not work.", pushFailures ?? 0),
            .gauge(name("generation"), "The generation that the pageserver has claimed.", generation.map(Double.init)),
        ]
    }
}
