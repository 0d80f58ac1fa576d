import Foundation
import TestSupport
import Testing

/// `safekeeper config check` of real primaries: each thing that would keep WAL, or commits, from the safekeeper.
@Suite("config check of the primary", .serialized, .timeLimit(.minutes(10)))
struct PrimaryCheckTests {
    private struct Fact: Decodable {
        let name: String
        let outcome: String
        let detail: String
    }
    private struct Subject: Decodable {
        let name: String
        let verdict: String
        let facts: [Fact]

        subscript(_ name: String) -> [Fact] { facts.filter { $0.name == name } }
        func has(_ name: String, _ outcome: String, _ text: String) -> Bool {
            self[name].contains { $0.outcome == outcome && $0.detail.contains(text) }
        }
        var faults: [Fact] { facts.filter { $0.outcome == "failed" } }
    }
    private struct Report: Decodable {
        let subjects: [Subject]
        let exitCode: Int32
    }

    private func check(
        _ place: SafekeeperPlace, _ source: String, _ options: [String] = []
    ) throws -> (subject: Subject, exitCode: Int32) {
        let result = try place.safekeeper(
            [
                "config", "check", "--json", "--storage-dest", place.storage, "--name", place.name, "--wal-source",
                source,
            ]
                + options)
        let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
        #expect(report.exitCode == result.status)
        return (try #require(report.subjects.first { $0.name == "primary" }), result.status)
    }

    private func set(_ primary: PostgresCluster, _ values: [String: String]) throws {
        for (key, value) in values { try primary.psql("alter system set \(key) = '\(value)'") }
        try primary.psql("select pg_reload_conf()")
    }

    @Test("a primary that is set up right, and commits that do not wait")
    func good() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        let source = try SafekeeperPlace.source(primary)
        var (subject, status) = try check(place, source)
        #expect(status == 0 && subject.faults.isEmpty && subject.verdict == "usable", "\(subject)")
        #expect(subject.has("synchronous_standby_names", "warning", "set it to 'sk1'"))
        #expect(subject.has("slot", "ok", "sk1 is to be made; 10 of 10 slots are left"))
        #expect(subject.has("wal_level", "ok", "replica"))
        #expect(subject.has("version", "ok", "PostgreSQL 15"))

        try set(primary, ["synchronous_standby_names": "SK1"])
        #expect(try check(place, source).subject.has("availability", "warning", "commits wait"))
        try set(primary, ["synchronous_standby_names": "ANY 2 (sk1, sk2, sk3)", "max_slot_wal_keep_size": "1GB"])
        try place.initialize(primary)
        try place.succeed("start")
        try primary.await("select count(*) from pg_stat_replication where application_name = 'sk1'", "1")
        (subject, status) = try check(place, source)
        #expect(status == 0 && subject["availability"].isEmpty)
        #expect(subject.has("synchronous_standby_names", "ok", "ANY 2 (sk1, sk2, sk3)"))
        #expect(subject.has("slot", "ok", "sk1, in use, holds WAL from 0/"))
        #expect(subject.has("max_wal_senders", "ok", "sk1 is connected"))
        #expect(subject.has("max_slot_wal_keep_size", "warning", "1GB"))
    }

    @Test("settings that lose commits, or let none end")
    func commits() throws {
        let primary = try PostgresCluster.primary(["full_page_writes = off"])
        let place = try SafekeeperPlace()
        let source = try SafekeeperPlace.source(primary)
        try set(
            primary,
            ["synchronous_commit": "local", "synchronous_standby_names": "other", "wal_sender_timeout": "0"])
        var (subject, status) = try check(place, source)
        #expect(status == 0)
        #expect(subject.has("synchronous_standby_names", "warning", "sk1 is not in it"))
        #expect(subject.has("full_page_writes", "warning", "off"))
        #expect(subject.has("wal_sender_timeout", "warning", "0"))
        try set(primary, ["synchronous_standby_names": "sk1"])
        #expect(try check(place, source).subject.has("synchronous_commit", "warning", "local"))
        try set(primary, ["synchronous_commit": "remote_apply"])
        (subject, status) = try check(place, source)
        #expect(status == 78 && subject.has("synchronous_commit", "failed", "remote_apply"))
        #expect(subject.verdict == "not usable")
        try set(primary, ["synchronous_commit": "on", "synchronous_standby_names": "3 (sk1, sk2)"])
        #expect(try check(place, source).subject.has("synchronous_standby_names", "failed", "waits for 3 of 2"))
    }

    @Test("no WAL, no slots, no senders")
    func exhausted() throws {
        let place = try SafekeeperPlace()
        let minimal = try PostgresCluster.primary(["wal_level = minimal", "max_wal_senders = 0"])
        let refused = try check(place, try SafekeeperPlace.source(minimal))
        // The server lets no replication connection in at all.
        #expect(refused.exitCode == 78 && refused.subject.has("connection", "failed", "max_wal_senders"), "\(refused)")

        let primary = try PostgresCluster.primary(["max_replication_slots = 1", "max_wal_senders = 1"])
        try primary.psql("select pg_create_physical_replication_slot('other')")
        let full = try check(place, try SafekeeperPlace.source(primary))
        #expect(full.exitCode == 78 && full.subject.has("slot", "failed", "none of 1 slots is left"))
    }

    @Test("credentials, privileges, another cluster, a server that is away")
    func refused() throws {
        let primary = try PostgresCluster.primary()
        try primary.psql("create role plain login")
        let place = try SafekeeperPlace()
        let port = try #require(primary.port)
        let plain = try check(place, "host=127.0.0.1 port=\(port) user=plain")
        #expect(plain.exitCode == 77 && plain.subject.has("connection", "failed", "replication"), "\(plain)")
        try primary.psql("alter role plain replication")
        #expect(try check(place, "host=127.0.0.1 port=\(port) user=plain").exitCode == 0)
        #expect(try check(place, "host=127.0.0.1 port=1 user=plain").exitCode == 69)

        try place.initialize(primary)
        let other = try PostgresCluster.primary()
        let foreign = try check(place, try SafekeeperPlace.source(other))
        #expect(foreign.exitCode == 78 && foreign.subject.has("cluster", "failed", "WAL here is of"))
        let offline = try check(place, "host=127.0.0.1 port=1", ["--offline"])
        #expect(offline.exitCode == 0 && offline.subject.verdict == "not asked (--offline)")
    }

    @Test("a slot of another kind, and one whose WAL is gone")
    func slots() throws {
        let primary = try PostgresCluster.primary(["wal_level = logical", "max_slot_wal_keep_size = 2MB"])
        let place = try SafekeeperPlace()
        let source = try SafekeeperPlace.source(primary)
        try primary.psql("select pg_create_logical_replication_slot('sk1', 'pgoutput')")
        let logical = try check(place, source)
        #expect(logical.exitCode == 78 && logical.subject.has("slot", "failed", "logical"))
        try primary.psql("select pg_create_physical_replication_slot('sk2', true)")
        for _ in 0..<12 {
            try primary.psql("select pg_switch_wal() from (select pg_logical_emit_message(false, '', 'x')) s")
        }
        try primary.psql("checkpoint")
        let lost = try check(place, source, ["--slot", "sk2"])
        #expect(lost.exitCode == 1 && lost.subject.has("slot", "failed", "has removed WAL"), "\(lost)")
    }
}
