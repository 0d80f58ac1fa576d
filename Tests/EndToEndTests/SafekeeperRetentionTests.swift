import Foundation
import Glibc
import TestSupport
import Testing

/// Which WAL stays on a safekeeper's disk, and for how long.
@Suite("what a safekeeper keeps on its disk", .serialized, .timeLimit(.minutes(10)))
struct SafekeeperRetentionTests {
    private func start(_ place: SafekeeperPlace, _ primary: PostgresCluster, _ options: [String] = []) throws {
        try place.initialize(primary)
        let started = try place.safekeeper(["start"] + options)
        try #require(started.status == 0, "\(started.error)")
        try place.await("state") { $0 as? String == "streaming" }
    }

    /// About as many segments of a megabyte.
    private func write(_ segments: Int, _ primary: PostgresCluster) throws {
        for _ in 0..<segments {
            try primary.psql("select pg_logical_emit_message(false, '', repeat('x', 900000)), pg_switch_wal()")
        }
    }

    private func archived(_ place: SafekeeperPlace) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: place.storage + "/wal_005")
            .filter { $0.hasSuffix(".zst") && !$0.contains("partial") }.sorted()
    }

    private func receiver(_ place: SafekeeperPlace, _ arguments: [String]) throws -> [String] {
        ["--default-signal"] + PostgresInstallation.asServerUser + [
            try PostgresInstallation.require(major: 15).bin + "/pg_receivewal", "-w", "-d",
            "host=127.0.0.1 port=\(place.port) user=standby",
        ] + arguments
    }

    /// One that holds WAL from now on: pg_receivewal makes them so that they do from their first use on.
    private func createSlot(_ name: String, _ place: SafekeeperPlace) throws {
        try PostgresInstallation.require(major: 15).check(
            "psql",
            [
                "host=127.0.0.1 port=\(place.port) user=standby replication=true", "-Xc",
                "CREATE_REPLICATION_SLOT \(name) PHYSICAL RESERVE_WAL",
            ])
    }

    @Test("beyond local_wal_size, what a slot holds goes, with a word, and is read back from storage")
    func limit() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try start(place, primary, ["--local-wal-size", "16MB"])
        try createSlot("sleeper", place)
        let first = try #require(place.segments.last)
        try write(14, primary)
        try place.eventually { place.log.contains("of local_wal_size, 16 MB; slot sleeper holds it from") }
        #expect(place.segments.contains(first))
        try write(20, primary)
        try place.eventually { place.segments.count <= 17 && !place.segments.contains(first) }
        // The word comes right behind the removal.
        try place.eventually { place.log.contains("has reached") }

        let received = primary.directory + "/received"
        try primary.run("/bin/mkdir", [received])
        let end = try primary.psql("select pg_current_wal_flush_lsn()")
        try run(["/usr/bin/env"] + receiver(place, ["-D", received, "-S", "sleeper", "-n", "--endpos", end])).check()
        let names = try FileManager.default.contentsOfDirectory(atPath: received).filter { $0.count == 24 }.sorted()
        #expect(names.count >= 34 && names.first == first)
        for name in names {
            let whole = place.path + "/" + name
            try place.succeed("wal-fetch", name, whole)
            #expect(
                FileManager.default.contents(atPath: whole)
                    == FileManager.default.contents(atPath: received + "/" + name), "\(name)")
        }
    }

    @Test("what storage does not have stays, however much it is")
    func unstored() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try start(place, primary, ["--local-wal-size", "16MB"])
        // No directory can be made in what is a file.
        try FileManager.default.removeItem(atPath: place.storage)
        try Data().write(to: URL(fileURLWithPath: place.storage))
        let first = try #require(place.segments.last)
        try write(24, primary)
        try place.eventually { place.log.contains("cannot be removed, as storage does not have it") }
        #expect(place.segments.count >= 24 && place.segments.contains(first))
        try FileManager.default.removeItem(atPath: place.storage)
        try FileManager.default.createDirectory(atPath: place.storage, withIntermediateDirectories: true)
        try place.eventually { place.segments.count <= 5 }
        #expect(try archived(place).count >= 24)
    }

    @Test("a consumer without a slot holds WAL for as long as it is connected")
    func consumer() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try start(place, primary)
        let received = primary.directory + "/received"
        try primary.run("/bin/mkdir", [received])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = try receiver(place, ["-D", received, "-n", "-s", "1", "--synchronous"])
        try process.run()
        defer {
            Glibc.kill(process.processIdentifier, SIGCONT)
            process.terminate()
            process.waitUntilExit()
        }
        try place.await("consumers") { consumers in
            (consumers as? [[String: Any]])?.first?["flushed"] is String
        }
        Glibc.kill(process.processIdentifier, SIGSTOP)
        let first = try #require(place.segments.last)
        try write(12, primary)
        try place.await("offloaded") { ($0 as? String).map { !$0.isEmpty } ?? false }
        try place.eventually { try archived(place).count >= 12 }
        sleep(11)  // twice the time after which it is looked for what can go
        #expect(place.segments.contains(first))
        Glibc.kill(process.processIdentifier, SIGCONT)
        try place.eventually { !place.segments.contains(first) }
    }

    @Test("a restart reads nothing back that storage is known to have, and brings there what has gone meanwhile")
    func restart() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try start(place, primary)
        try createSlot("holder", place)
        try write(8, primary)
        try place.eventually { try archived(place).count >= 8 }
        try place.eventually {
            (try? String(contentsOfFile: place.directory + "/offloaded.json", encoding: .utf8))?
                .contains(place.segments[6]) == true
        }
        try place.succeed("stop")
        let stored = try archived(place)
        // Nobody would notice the first, if nobody reads it; the second has to be brought again.
        let unread = place.storage + "/wal_005/" + stored[2]
        try FileManager.default.removeItem(atPath: unread)
        try Data("not WAL".utf8).write(to: URL(fileURLWithPath: unread))
        try FileManager.default.removeItem(atPath: place.storage + "/wal_005/" + stored[4])
        try place.succeed("start")
        try place.await("state") { $0 as? String == "streaming" }
        try place.eventually { try archived(place).contains(stored[4]) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: unread)) == Data("not WAL".utf8))
        #expect(try place.status()["offloadFailures"] as? Int == 0)

        // Another archive begins with nothing.
        try place.succeed("stop")
        let other = place.path + "/other"
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        try place.succeed("start", "--storage-dest", other)
        try place.eventually {
            (try? FileManager.default.contentsOfDirectory(atPath: other + "/wal_005"))?.filter { $0.hasSuffix(".zst") }
                .count ?? 0 >= 8
        }
    }
}
