import Foundation
import Glibc
import TestSupport
import Testing

/// What can become of the primary, and of the network to it.
@Suite("The safekeeper's primary", .timeLimit(.minutes(30)))
struct SafekeeperPrimaryTests {
    @Test("restarted under load, again and again: all that was acknowledged is on the safekeeper")
    func restarts() throws {
        let primary = try PostgresCluster.primary()
        try AcknowledgedLoad.prepare(primary)
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let backup = try place.backup(primary)
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        // The port is another after each start.
        var outcomes: [AcknowledgedLoad.Outcome] = []
        for number in 1...(TestSelection.isSoak ? 60 : 3) {
            if number > 1 {
                try place.succeed("stop")
                try primary.start()
                try place.succeed("start", "--wal-source", try SafekeeperPlace.source(primary))
            }
            let load = try AcknowledgedLoad(primary, run: number)
            try load.awaitCommits()
            if number % 2 == 1 { try primary.crash() } else { try primary.stop(.immediate) }
            outcomes.append(try load.finish())
        }
        place.kill()
        try FileManager.default.removeItem(atPath: primary.dataDirectory)
        let recovered = try place.recover(backup)
        for outcome in outcomes { try outcome.expect(in: recovered) }
    }

    @Test("a network that swallows everything is noticed from both sides, and commits go on when it is back")
    func silence() async throws {
        let primary = try PostgresCluster.primary(["wal_sender_timeout = 3s"])
        try AcknowledgedLoad.prepare(primary)
        let proxy = try await TCPProxy(to: "127.0.0.1:\(try #require(primary.port))")
        let place = try SafekeeperPlace()
        try place.initialize(primary, source: "host=127.0.0.1 port=\(proxy.port) user=postgres")
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        let load = try AcknowledgedLoad(primary, clients: 2)
        try load.awaitCommits()
        // Far longer than this test takes: only who is waiting can end it.
        try await proxy.set(.stall(.down, at: 0, seconds: 3600))
        try primary.await(
            "select count(*) from pg_stat_replication where application_name = '\(place.name)'", "0")
        #expect(primary.log.contains("terminating walsender process due to replication timeout"))
        try await proxy.set()
        try load.awaitCommits()
        #expect(place.log.contains("has said nothing for 30 s"))
        try place.awaitFlushed(primary)
        try primary.stop(.immediate)
        #expect(try load.finish().counts.allSatisfy { $0 > 0 })
    }

    @Test("a server that lets it in and then says nothing holds up neither status nor stop")
    func frozen() async throws {
        let primary = try PostgresCluster.primary()
        let proxy = try await TCPProxy(to: "127.0.0.1:\(try #require(primary.port))")
        let place = try SafekeeperPlace()
        // No bytes of a talk about encryption before.
        let source = "host=127.0.0.1 port=\(proxy.port) user=postgres sslmode=disable gssencmode=disable"
        try place.initialize(primary, source: source)
        // What the server says until it takes commands: the same for every client of this name.
        let client = try RawClient(port: try #require(primary.port))
        try client.send(
            RawClient.startup([("user", "postgres"), ("replication", "true"), ("application_name", place.name)]))
        let greeting = try client.answer().reduce(0) { $0 + 5 + $1.body.count }
        let silence = TCPProxy.Rule.stall(.down, at: greeting, seconds: 3600)
        try await proxy.set(silence, silence)
        try place.succeed("start")
        // The first is given up; the second is waited for when the end comes.
        let deadline = ContinuousClock.now + .seconds(120)
        while try await proxy.counts() != [1, 1] {
            try #require(ContinuousClock.now < deadline, "\(place.log)")
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(place.log.contains("no answer came within 20 s"))
        _ = try place.status()
        try place.succeed("stop")
    }

    @Test("a connection cut within the unused rest of a segment, after a switch, is taken up again")
    func switches() async throws {
        let primary = try PostgresCluster.primary()
        let proxy = try await TCPProxy(to: "127.0.0.1:\(try #require(primary.port))")
        let place = try SafekeeperPlace()
        try place.initialize(primary, source: "host=127.0.0.1 port=\(proxy.port) user=postgres")
        try place.succeed("start")
        try primary.psql("create table t (g int)")
        for number in 0..<3 {
            try place.awaitFlushed(primary)
            // The switch's record, and half of the zeros behind it.
            try await proxy.set(.reset(.down, at: 400_000))
            try primary.psql("insert into t values (\(number)); select pg_switch_wal()")
            try primary.psql("insert into t values (\(number))")
            try place.awaitFlushed(primary)
            #expect(try await proxy.counts() == [1])
            if number == 1 {
                try place.succeed("stop")
                try place.succeed("start")
            }
        }
        try place.await("reason") { $0 as? String == nil }
    }

    @Test("where a segment ends, the one before may be gone on the primary")
    func boundary() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start")
        try primary.psql("create table t (g int)")
        try place.awaitFlushed(primary)
        // Records of the server's own may come in between: then once more.
        var isAtBoundary = false
        for _ in 0..<20 where !isAtBoundary {
            let end = SafekeeperPlace.number(try primary.psql("select pg_switch_wal()"))
            let boundary = (end + (1 << 20) - 1) & ~((1 << 20) - 1)
            try place.await("flushed") { SafekeeperPlace.number($0 as? String ?? "0/0") >= boundary }
            try place.succeed("stop")
            isAtBoundary = try place.position("flushed") == boundary
            if !isAtBoundary { try place.succeed("start") }
        }
        try #require(isAtBoundary)
        let before = try #require(place.segments.last)
        for _ in 0..<4 {
            try primary.psql("insert into t select generate_series(1, 20000)")
            try primary.psql("checkpoint")
        }
        #expect(!FileManager.default.fileExists(atPath: "\(primary.dataDirectory)/pg_wal/\(before)"))
        try place.succeed("start")
        try place.awaitFlushed(primary)
    }

    @Test(
        "a slot that was dropped is made anew where no WAL is missing",
        arguments: TestSelection.isSoak ? [14, 15, 18] : [14])
    func slotDropped(major: Int) throws {
        let primary = try PostgresCluster.primary(major: major)
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start")
        try primary.psql("create table t (g int)")
        try place.awaitFlushed(primary)
        try place.succeed("stop")
        try primary.psql("select pg_drop_replication_slot('sk1')")
        try primary.psql("insert into t values (1)")
        try place.succeed("start")
        try place.awaitFlushed(primary)
        #expect(place.log.contains("slot sk1 was missing"))
        #expect(try primary.psql("select restart_lsn is not null from pg_replication_slots") == "t")
    }

    @Test(
        "WAL that the primary has removed is told, with what to do; what is here stays and is served",
        arguments: TestSelection.isSoak
            ? [(14, true), (15, true), (18, true), (15, false)] : [(15, false), (18, true)])
    func removed(major: Int, keepsSlot: Bool) throws {
        let primary = try PostgresCluster.primary(["max_slot_wal_keep_size = 2MB"], major: major)
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start")
        try primary.psql("create table t (g int)")
        try place.awaitFlushed(primary)
        try place.succeed("stop")
        let (flushed, segments) = (try place.position("flushed"), place.segments)
        if !keepsSlot { try primary.psql("select pg_drop_replication_slot('sk1')") }
        for _ in 0..<8 {
            try primary.psql("insert into t select generate_series(1, 20000)")
            try primary.psql("checkpoint")
        }
        try place.succeed("start")
        try place.await("state") { $0 as? String == "refusing" }
        let status = try place.status()
        let reason = try #require(status["reason"] as? String)
        #expect(reason.contains("has removed WAL that is missing here"), "\(reason)")
        #expect(reason.contains("pg_drop_replication_slot('sk1')"), "\(reason)")
        #expect(try place.position("flushed") == flushed)
        #expect(place.segments == segments)
        let shown = try place.safekeeper(["status"])
        #expect(shown.status == 0 && shown.output.contains(reason), "\(shown.output)")
        let client = try RawClient.ready(port: place.port)
        #expect(try client.ask("IDENTIFY_SYSTEM").first { $0.type == "D" } != nil)
    }
}
