import Foundation
import Glibc
import TestSupport
import Testing

/// What the daemons say of themselves over HTTP, and what becomes of those who may not listen.
@Suite("Status and metrics", .timeLimit(.minutes(15)))
struct StatusPageTests {
    private func object(_ response: PlainResponse) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(response.body.utf8)) as? [String: Any])
    }

    private func metrics(_ port: Int) throws -> MetricsParser {
        try MetricsParser(try PlainResponse.get("/metrics", port: port).body)
    }

    /// Waits until the metrics are so.
    @discardableResult
    private func awaitMetrics(
        _ port: Int, _ isRight: (MetricsParser) throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> MetricsParser {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let response = try PlainResponse.get("/metrics", port: port)
            let metrics = try MetricsParser(response.body)
            if try isRight(metrics) { return metrics }
            try #require(ContinuousClock.now < deadline, "\(response.body)", sourceLocation: sourceLocation)
            usleep(100_000)
        }
    }

    /// Somebody else's.
    private func listen() throws -> (file: Int32, port: Int) {
        let port = try TestServer.freePort()
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0 && Glibc.listen(file, 1) == 0)
        return (file, port)
    }

    @Test("a safekeeper tells how it is")
    func safekeeper() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start", "--offload-interval", "1s")
        try primary.awaitSafekeeper(place.name)
        try primary.psql("create table t as select generate_series(1, 10000) g")
        let receivewal = try PostgresInstallation.require(major: 15).bin + "/pg_receivewal"
        try run([
            receivewal, "-h", "127.0.0.1", "-p", String(place.port), "-U", "any", "--create-slot", "--slot", "standby",
        ]).check()
        let copies = place.path + "/copies"
        try FileManager.default.createDirectory(atPath: copies, withIntermediateDirectories: true)
        let consumer = Process()
        // Signals are blocked in tasks, and children inherit that.
        consumer.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        consumer.arguments = [
            "--default-signal", receivewal, "-h", "127.0.0.1", "-p", String(place.port), "-U", "any", "--slot",
            "standby", "--synchronous", "-D", copies,
        ]
        consumer.standardError = FileHandle.nullDevice
        try consumer.run()
        defer {
            consumer.terminate()
            consumer.waitUntilExit()
        }

        let prefix = "zenith_safekeeper_"
        let found = try awaitMetrics(place.httpPort) { metrics in
            try metrics.families[prefix + "consumer_flushed_lsn_bytes"]?.samples.isEmpty == false
                && metrics.value(prefix + "offload_lag_bytes") == 0 && metrics.value(prefix + "lag_seconds") == 0
        }
        #expect(try found.value(prefix + "receiver_state", ["state": "streaming"]) == 1)
        #expect(try found.value(prefix + "receiver_state", ["state": "failing"]) == 0)
        #expect(try found.value(prefix + "build_info", ["version": "0.1.0"]) == 1)
        let flushed = try found.value(prefix + "flushed_lsn_bytes")
        let received = try found.value(prefix + "received_lsn_bytes")
        #expect(flushed > 0 && flushed <= received)
        #expect(try found.value(prefix + "offloaded_lsn_bytes") == flushed)
        #expect(try found.value(prefix + "flush_duration_seconds_count") > 0)
        #expect(try found.value(prefix + "flush_duration_seconds_sum") > 0)
        #expect(try found.value(prefix + "disk_free_bytes") > 0)
        #expect(try found.value(prefix + "local_wal_bytes") == Double(place.segments.count << 20))
        #expect(try found.value(prefix + "consumer_connections") == 1)
        #expect(try found.value(prefix + "slot_restart_lsn_bytes", ["slot": "standby"]) > 0)
        let served = try #require(found.families[prefix + "consumer_flushed_lsn_bytes"]?.samples.first)
        #expect(served.labels["consumer"] == "pg_receivewal" && served.labels["slot"] == "standby")
        let documented = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../../docs/safekeeper.md"), encoding: .utf8)
        for name in found.families.keys { #expect(documented.contains("`\(name)`"), "\(name) is not in the table") }

        // The same as the command says, by its keys: values move on.
        let page = try object(PlainResponse.get("/v1/status", port: place.httpPort))
        let command = try object(
            PlainResponse(Array("HTTP/1.1 200 OK\r\n\r\n\(try place.safekeeper(["status", "--json"]).output)".utf8)))
        #expect(Set(page.keys) == Set(command.keys))
        let (inPage, inCommand) = (page["safekeeper"] as? [String: Any], command["safekeeper"] as? [String: Any])
        #expect(Set((inPage ?? [:]).keys) == Set((inCommand ?? [:]).keys))
        #expect(page["running"] as? Bool == true && inPage?["flushed"] as? String != nil)
        #expect(inPage?["lagSeconds"] as? Double != nil)

        // Without the primary time runs on; with it, all is level again.
        try primary.stop()
        try awaitMetrics(place.httpPort) { try $0.value(prefix + "lag_seconds") > 0 }
        try primary.start()  // on another port
        try place.succeed("stop")
        try place.succeed("start", "--wal-source", try SafekeeperPlace.source(primary))
        try primary.psql("insert into t values (0)")
        try awaitMetrics(place.httpPort) { try $0.value(prefix + "lag_seconds") == 0 }
    }

    @Test("clients that behave badly do not hold up a safekeeper")
    func badClients() throws {
        let primary = try PostgresCluster.primary()
        try primary.psql("create table t (g int)")
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        let clients = try (0..<100).map { number in
            let client = try PlainClient(port: place.httpPort)
            if number % 2 == 0 { client.send("GET /v1/st") }
            return client
        }
        let large = try PlainClient(port: place.httpPort)
        large.send("GET / HTTP/1.1\r\nA: " + String(repeating: "x", count: 1 << 20) + "\r\n\r\n")
        let garbage = try PlainClient(port: place.httpPort)
        garbage.send((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 167) })
        try primary.psql("insert into t select generate_series(1, 10)")
        #expect(try PlainResponse.get("/healthz", port: place.httpPort).status == 200)
        _ = try large.readToEnd()
        _ = try garbage.readToEnd()
        // With half of them still there it stops at once.
        try place.succeed("stop")
        for client in clients { _ = try client.readToEnd() }
        #expect(try primary.psql("select count(*) from t") == "10")
        #expect(!place.log.contains("Fatal error"))
    }

    @Test("clients that use up all file descriptors hold a safekeeper up only while they are there")
    func fewDescriptors() throws {
        let primary = try PostgresCluster.primary()
        try primary.psql("create table t (g int)")
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let started = try run(
            [
                "prlimit", "--nofile=48:48", Workplace.programs + "/safekeeper", "start", "-D", place.directory,
                "--offload-interval", "1s",
            ])
        try #require(started.status == 0, "\(started.error)")
        try primary.awaitSafekeeper(place.name)
        let clients = try (0..<100).map { _ in try PlainClient(port: place.httpPort) }
        let deadline = ContinuousClock.now + .seconds(60)
        while !place.log.contains("Too many open files") {
            try #require(ContinuousClock.now < deadline, "\(place.log.suffix(3000))")
            usleep(50_000)
        }
        for client in clients { client.end() }
        try primary.psql("insert into t select generate_series(1, 10)")
        try awaitMetrics(place.httpPort) { try $0.value("zenith_safekeeper_offload_lag_bytes") == 0 }
        try place.succeed("status")
    }

    @Test("a safekeeper without its addresses does not start, and says which one it is", arguments: [true, false])
    func safekeeperWithoutAddress(isHTTP: Bool) throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let other = try listen()
        defer { close(other.file) }
        let option = isHTTP ? "--listen-http" : "--listen-pg"
        for mode in [[], ["--foreground"]] {
            let result = try place.safekeeper(["start", option, "127.0.0.1:\(other.port)"] + mode)
            #expect(result.status == 1 && result.output == "", "\(result)")
            let lines = result.error.split(separator: "\n")
            let failure = "safekeeper: cannot listen on 127.0.0.1:\(other.port): Address already in use"
            #expect(lines.contains { $0 == failure }, "\(result.error)")
            let setting = isHTTP ? "safekeeper_listen_http" : "safekeeper_listen_pg"
            #expect(result.error.contains("another program listens there") && result.error.contains(setting))
        }
        #expect(try place.safekeeper(["status"]).status == 1)
        // It was never there for the primary.
        #expect(try primary.psql("select count(*) from pg_replication_slots where active") == "0")
        let off = try place.safekeeper(["start", "--listen-http", "off"])
        #expect(off.status == 0, "\(off.error)")
        #expect(throws: (any Error).self) { try PlainClient(port: place.httpPort) }
    }

    @Test("a pageserver tells how it is, and does not start without its address")
    func pageserver() throws {
        let work = try Workplace.stored()
        let other = try listen()
        defer { close(other.file) }
        let taken = "127.0.0.1:\(other.port)"
        try work.fail(
            ["start"], 1, "cannot listen on \(taken): Address already in use", "listen_http", "or off",
            environment: ["ZENITH_LISTEN_HTTP": taken])
        let port = try TestServer.freePort()
        try work.succeed("start", "--listen-http", "127.0.0.1:\(port)")
        let page = try object(PlainResponse.get("/v1/status", port: port))
        let status = try #require(page["pageserver"] as? [String: Any])
        #expect(page["running"] as? Bool == true && status["state"] as? String == "idle")
        let found = try metrics(port)
        let prefix = "zenith_pageserver_"
        #expect(try found.value(prefix + "state", ["state": "idle"]) == 1)
        #expect(try found.value(prefix + "unpushed_bytes") == 0)
        let lsn = try found.value(prefix + "snapshot_lsn_bytes")
        let pushed = try found.value(prefix + "pushed_snapshot_lsn_bytes")
        #expect(lsn > 0 && lsn == pushed)
        #expect(try found.value(prefix + "generation") > 0)
        try work.succeed("stop")
        #expect(throws: (any Error).self) { try PlainClient(port: port) }
    }
}
