import Foundation
import TestSupport
import Testing

/// A safekeeper whose storage is an S3 service behind a proxy that breaks what it is told to.
private struct FaultyStorage {
    let proxy: FaultProxy
    let place: SafekeeperPlace

    init() async throws {
        let server = try await S3TestServer.seaweed
        proxy = try await FaultProxy(to: server.authority)
        var environment = server.environment
        environment["AWS_ENDPOINT_URL"] = "http://" + proxy.authority
        // So that a failure is told within a test's time.
        environment["S3_MAX_RETRIES"] = "1"
        environment["S3_STALL_TIMEOUT"] = "2s"
        place = try SafekeeperPlace(
            storage: "s3://\(server.bucket)/safekeeper-\(UUID().uuidString)", environment: environment)
    }

    static let always = 1_000_000
}

@Suite("The safekeeper's storage, failing", .timeLimit(.minutes(30)))
struct SafekeeperStorageFaultTests {
    private static let duration = TestSelection.isSoak ? Duration.seconds(120) : .zero

    @Test("commits go on, the failure is shown, and without a restart all comes to storage when it ends")
    func faults() async throws {
        let primary = try PostgresCluster.primary()
        try AcknowledgedLoad.prepare(primary)
        let storage = try await FaultyStorage()
        let place = storage.place
        try place.initialize(primary)
        let backup = try place.backup(primary)
        try place.succeed("start", "--offload-interval", "1s")
        try primary.awaitSafekeeper(place.name)
        let faults: [FaultProxy.Rule] = [.slowDown(retryAfter: 1), .resetRequest, .stall(seconds: 60)]
        var outcomes: [AcknowledgedLoad.Outcome] = []
        for (number, fault) in faults.enumerated() {
            try await storage.proxy.set(fault.on(times: FaultyStorage.always))
            let load = try AcknowledgedLoad(primary, run: number)
            try load.awaitCommits()
            try primary.psql("select pg_switch_wal()")
            try place.await("offloadError") { $0 is String }
            try await Task.sleep(for: Self.duration)
            try load.awaitCommits()
            let shown = try place.safekeeper(["status"])
            #expect(shown.output.contains("  offload    "), "\(shown.output)")
            outcomes.append(try load.end())
            #expect(outcomes.last?.longest ?? .zero < .seconds(20))
            try await storage.proxy.set()
            try place.awaitOffloaded(primary)
            try place.await("offloadError") { !($0 is String) }
        }
        try primary.crash()
        try place.succeed("stop")
        #expect(try place.archive()["missing"] as? Int == 0)
        try FileManager.default.removeItem(atPath: primary.dataDirectory)
        try FileManager.default.removeItem(atPath: place.wal)
        let recovered = try place.recover(backup)
        for outcome in outcomes { try outcome.expect(in: recovered) }
    }

    @Test("what was removed here comes back from storage: an error while that is down, and on it goes afterwards")
    func readBack() async throws {
        let primary = try PostgresCluster.primary()
        let storage = try await FaultyStorage()
        let place = storage.place
        try place.initialize(primary)
        let standby = try PostgresCluster.open(try place.backup(primary))
        try place.succeed("start", "--offload-interval", "1s")
        try primary.awaitSafekeeper(place.name)
        try primary.psql("create table t as select generate_series(1, 200000) g")
        let first = try #require(place.segments.first)
        let deadline = ContinuousClock.now + .seconds(120)
        while place.segments.first == first || place.segments.count > 5 {
            try #require(ContinuousClock.now < deadline, "\(place.segments)")
            try await Task.sleep(for: .milliseconds(200))
        }

        let received = primary.directory + "/received"
        try primary.run("/bin/mkdir", [received])
        // A whole segment in the directory: it goes on behind it, which is far before what is here.
        try primary.run("/usr/bin/truncate", ["-s", "1M", "\(received)/\(first)"])
        let end = try primary.psql("select pg_current_wal_flush_lsn()")
        func receive() throws -> ShellResult {
            try primary.installation.run(
                "pg_receivewal",
                ["-d", "host=127.0.0.1 port=\(place.port) user=any", "-D", received, "--no-loop", "--endpos", end])
        }
        try await storage.proxy.set(FaultProxy.Rule.slowDown(retryAfter: 1).on(times: FaultyStorage.always))
        let refused = try receive()
        #expect(refused.status != 0 && refused.error.contains("cannot be read back from storage"), "\(refused.error)")
        try standby.configure([
            "primary_conninfo = 'host=127.0.0.1 port=\(place.port) user=any'", "restore_command = ''",
            "wal_retrieve_retry_interval = 1s",
        ])
        try Data().write(to: URL(fileURLWithPath: standby.dataDirectory + "/standby.signal"))
        _ = try run(["chown", "-R", "--reference=\(standby.dataDirectory)", standby.dataDirectory])
        // Its backup is consistent only with WAL that storage alone has.
        // On a thread of its own: it waits for what this test does meanwhile.
        let starting = Task.detached {
            try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread { continuation.resume(with: Result { try standby.start() }) }
            }
        }
        while !standby.log.contains("cannot be read back from storage") {
            try #require(ContinuousClock.now < deadline + .seconds(120), "\(standby.log)")
            try await Task.sleep(for: .milliseconds(200))
        }
        try await storage.proxy.set()
        try await starting.value
        try standby.await("select count(*) from t", "200000")
        let taken = try receive()
        #expect(taken.status == 0, "\(taken.error)")
        let own = try #require(place.segments.first)
        let names = try FileManager.default.contentsOfDirectory(atPath: received).filter { $0.utf8.count == 24 }
            .sorted()
        #expect(names.contains { $0 > first && $0 < own } && names.contains(own))
        #expect(try run(["cmp", "\(received)/\(own)", "\(place.wal)/\(own)"]).status == 0)
    }
}

@Suite("The safekeeper's end while its storage stalls", .timeLimit(.minutes(10)))
struct SafekeeperStalledStopTests {
    @Test("it waits for some time, ends, and says what is on its disk alone; the next start brings that to storage")
    func stop() async throws {
        let primary = try PostgresCluster.primary()
        let storage = try await FaultyStorage()
        let place = storage.place
        try place.initialize(primary)
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        try await storage.proxy.set(FaultProxy.Rule.stall(seconds: 600).on(times: FaultyStorage.always))
        try primary.psql("create table t as select generate_series(1, 50000) g")
        let stopped = try place.safekeeper(["stop"])
        #expect(stopped.status == 0, "\(stopped.error)")
        let flushed = try #require(try place.status()["flushed"] as? String)
        #expect(place.log.contains("up to \(flushed) stays on this disk alone"), "\(place.log)")
        #expect(stopped.output.contains("up to \(flushed) is not in storage"), "\(stopped.output)")
        try await storage.proxy.set()
        try place.succeed("start")
        let again = try place.safekeeper(["stop"])
        #expect(again.status == 0 && !again.output.contains("not in storage"), "\(again.output)")
        #expect(try place.archive()["missing"] as? Int == 0)
    }
}
