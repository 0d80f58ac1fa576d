import CommandKit
import PostgresFormat
import Safekeeper
import StatusServer

extension SafekeeperStatus {
    /// All of it as a monitoring system reads it; docs/safekeeper.md explains each.
    var metrics: [Metric] { about + positions + flushes + storage + disk + served }

    private static func name(_ rest: String) -> String { "zenith_safekeeper_\(rest)" }

    private static func position(_ text: String?) -> Double? {
        guard let lsn = text.flatMap({ LSN($0) }), lsn != .invalid else { return nil }
        return Double(lsn.rawValue)
    }

    private var about: [Metric] {
        [
            .gauge(
                Self.name("build_info"), "The version that runs; always 1.",
                [Metric.Sample(1, [Metric.Label("version", zenithVersion)])]),
            .gauge(
                Self.name("receiver_state"), "1 for the state that receiving is in, 0 for the others.",
                Self.states.map { Metric.Sample($0 == state ? 1 : 0, [Metric.Label("state", $0)]) }),
            .counter(
                Self.name("primary_connections_total"), "Connections to the primary that came up.", primaryConnections),
            .gauge(
                Self.name("last_message_timestamp_seconds"),
                "When something was last heard from the primary, in seconds since 1970.",
                lastMessage > 0 ? lastMessage : nil),
        ]
    }

    private var positions: [Metric] {
        [
            .gauge(
                Self.name("primary_end_lsn_bytes"), "The primary's end of WAL, as far as it has told.",
                Self.position(primaryEnd)),
            .gauge(
                Self.name("received_lsn_bytes"), "Position behind the last byte received.", Self.position(received)),
            .gauge(
                Self.name("flushed_lsn_bytes"), "Position behind the last whole record on disk.",
                Self.position(flushed)),
            .gauge(Self.name("timeline"), "PostgreSQL's number of the newest timeline.", timeline.map(Double.init)),
            .gauge(
                Self.name("lag_bytes"), "How far the primary is ahead of what is on disk.", Double(lagBytes)),
            .gauge(
                Self.name("lag_seconds"), "For how long the primary has had WAL that is not on disk; 0 while level.",
                lagSeconds),
        ]
    }

    private var flushes: [Metric] {
        [
            .histogram(
                Self.name("flush_duration_seconds"), "How long putting received WAL on disk took.",
                Metric.Distribution(
                    bounds: flushBuckets.compactMap { $0.upToMicroseconds.map { Double($0) / 1e6 } },
                    counts: flushBuckets.map(\.count), sum: Double(flushMicroseconds) / 1e6))
        ]
    }

    private var storage: [Metric] {
        [
            .gauge(
                Self.name("offloaded_lsn_bytes"), "Position up to which WAL is in storage.", Self.position(offloaded)),
            .gauge(
                Self.name("offload_lag_bytes"), "At most so much of the WAL on disk is not in storage.",
                offloadLagBytes.map(Double.init)),
            .counter(
                Self.name("offload_failures_total"), "Tries to bring WAL into storage that failed.", offloadFailures),
            .counter(Self.name("index_failures_total"), "Tries to keep page indexes that failed.", indexFailures),
        ]
    }

    private var disk: [Metric] {
        [
            .gauge(Self.name("disk_free_bytes"), "Space that is left on the disk of the WAL.", Double(diskFreeBytes)),
            .gauge(Self.name("local_wal_bytes"), "Space that the segments on disk take.", Double(localWALBytes)),
        ]
    }

    private var served: [Metric] {
        func samples(_ position: (Consumer) -> String?) -> [Metric.Sample] {
            consumers.compactMap { consumer in
                // Address and port make it the only one of its name.
                let labels = [
                    Metric.Label("consumer", consumer.name), Metric.Label("address", consumer.address),
                    Metric.Label("slot", consumer.slot ?? ""),
                ]
                return Self.position(position(consumer)).map { Metric.Sample($0, labels) }
            }
        }
        return [
            .gauge(
                Self.name("consumer_connections"), "Connections of those who take WAL from here.",
                Double(consumers.count)),
            .gauge(
                Self.name("consumer_sent_lsn_bytes"), "Position up to which a consumer was sent WAL.",
                samples(\.sent)),
            .gauge(
                Self.name("consumer_flushed_lsn_bytes"), "Position up to which a consumer says it has WAL on disk.",
                samples(\.flushed)),
            .gauge(
                Self.name("slot_restart_lsn_bytes"), "Position from which a slot holds WAL.",
                slots.sorted { $0.key < $1.key }.compactMap { slot, restart in
                    Self.position(restart).map { Metric.Sample($0, [Metric.Label("slot", slot)]) }
                }),
        ]
    }
}
