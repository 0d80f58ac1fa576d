import Foundation
import TestSupport
import Testing

/// The page indexes that a safekeeper keeps.
@Suite("A safekeeper's page indexes", .timeLimit(.minutes(10)))
struct SafekeeperIndexTests {
    private typealias Files = [String: Data]

    /// But for what a process was writing when it was killed.
    private func files(_ directory: String) -> Files {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return Dictionary(
            uniqueKeysWithValues: names.filter { !$0.hasPrefix(".") }.compactMap { name in
                FileManager.default.contents(atPath: "\(directory)/\(name)").map { (name, $0) }
            })
    }

    private func stored(_ place: SafekeeperPlace) -> Files { files(place.storage + "/wal_index_001") }
    private func local(_ place: SafekeeperPlace) -> Files { files(place.directory + "/wal_index") }

    /// Segments that storage has.
    private func archived(_ place: SafekeeperPlace) throws -> Set<String> {
        let names = try FileManager.default.contentsOfDirectory(atPath: place.storage + "/wal_005")
        return Set(names.filter { $0.hasSuffix(".zst") && $0.utf8.count == 28 }.map { String($0.dropLast(4)) })
    }

    private func write(_ primary: PostgresCluster, rows: Int = 20000) throws {
        try primary.psql("insert into t select i, repeat('x', 100) from generate_series(1, \(rows)) i")
        try primary.psql("select pg_switch_wal()")
    }

    private func state(_ place: SafekeeperPlace) -> String {
        "\(stored(place).keys.sorted())\n\(local(place).keys.sorted())"
    }

    /// Waits until each segment in storage has an index there.
    private func awaitIndexes(_ place: SafekeeperPlace, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try place.eventually(state(place), sourceLocation: sourceLocation) {
            let segments = try archived(place)
            return segments.count > 3 && segments == Set(stored(place).keys)
        }
    }

    private func zenith(_ place: SafekeeperPlace, _ arguments: String...) throws -> ShellResult {
        try run([Workplace.programs + "/zenith"] + arguments + ["-D", place.path + "/none"])
    }

    /// Those that are made of what storage has, and of nothing else.
    private func made(_ place: SafekeeperPlace) throws -> Files {
        let copy = place.path + "/copy"
        try? FileManager.default.removeItem(atPath: copy)
        try run(["cp", "-a", place.storage, copy]).check()
        try FileManager.default.removeItem(atPath: copy + "/wal_index_001")
        let result = try zenith(place, "wal", "index", copy)
        try #require(result.status == 0, "\(result.error)")
        return files(copy + "/wal_index_001")
    }

    @Test("follow the segments to storage, go with them here, and come again after a crash")
    func life() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start", "--offload-interval", "1s")
        try place.await("state") { $0 as? String == "streaming" }
        try primary.psql("create table t (a int, b text)")
        try write(primary)
        try place.awaitOffloaded(primary)
        try awaitIndexes(place)
        #expect(try stored(place) == made(place))
        // What is removed here takes its index along; what stays keeps it.
        try place.eventually(state(place)) {
            place.segments.count <= 4 && Set(local(place).keys).isSubset(of: place.segments)
        }
        #expect(local(place).allSatisfy { stored(place)[$0.key] == $0.value } && local(place).count >= 3)
        #expect(files(place.storage + "/wal_005").keys.allSatisfy { !$0.contains("index") })

        place.kill()
        let (stayed, present) = (local(place), stored(place))
        let names = stayed.keys.sorted()
        let directory = URL(fileURLWithPath: place.directory + "/wal_index")
        let storage = URL(fileURLWithPath: place.storage + "/wal_index_001")
        try FileManager.default.removeItem(at: directory.appendingPathComponent(names[0]))
        try Data(stayed[names[1]]!.dropLast()).write(to: directory.appendingPathComponent(names[1]))
        try Data("what a crash left".utf8).write(to: directory.appendingPathComponent("\(names[2]).writing"))
        try FileManager.default.removeItem(at: storage.appendingPathComponent(names[0]))
        try Data("damaged".utf8).write(to: storage.appendingPathComponent(names[1]))
        try place.succeed("start", "--offload-interval", "1s")
        try place.eventually(state(place)) { local(place) == stayed && stored(place) == present }

        try write(primary)
        place.kill()
        try place.succeed("start", "--offload-interval", "1s")
        try place.awaitOffloaded(primary)
        try awaitIndexes(place)
        #expect(try stored(place) == made(place))
        #expect(try place.status()["indexFailures"] as? Int == 0)
        #expect(!place.log.contains("page indexes"), "\(place.log)")
        // Stopped, it has brought the last ones there, too.
        try write(primary)
        try place.awaitFlushed(primary)
        try place.succeed("stop")
        #expect(try archived(place) == Set(stored(place).keys))
        let checked = try zenith(place, "wal", "index", place.storage, "--check")
        #expect(checked.status == 0, "\(checked.output) \(checked.error)")
        let here = try zenith(place, "wal", "index", place.wal, "--check")
        #expect(here.status == 0, "\(here.output) \(here.error)")
    }

    @Test("hold no WAL up where storage does not take them, and come when it does")
    func refused() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        // No directory can be made in what is a file.
        let blocked = place.storage + "/wal_index_001"
        try Data().write(to: URL(fileURLWithPath: blocked))
        try place.succeed("start", "--offload-interval", "1s")
        try primary.awaitSafekeeper(place.name)
        try primary.psql("create table t (a int, b text)")
        for _ in 0..<2 {
            try write(primary)
            try place.awaitOffloaded(primary)
        }
        try place.await("indexFailures") { $0 as? Int ?? 0 >= 2 }
        let status = try place.status()
        #expect(status["offloadFailures"] as? Int == 0 && status["indexError"] is String, "\(status)")
        #expect(try archived(place).count >= 6 && stored(place).isEmpty)
        #expect(place.log.components(separatedBy: "cannot keep page indexes").count == 2, "\(place.log)")
        let shown = try place.safekeeper(["status"])
        #expect(shown.output.contains("  indexes    "), "\(shown.output)")
        // WAL goes from this disk all the same.
        try place.eventually(state(place)) {
            place.segments.count <= 5 && Set(local(place).keys).isSubset(of: place.segments)
        }

        try FileManager.default.removeItem(atPath: blocked)
        try place.await("indexError") { !($0 is String) }
        let here = Set(local(place).keys)
        try place.eventually(state(place)) { here.isSubset(of: stored(place).keys) }
        // What went meanwhile is made from storage.
        let missing = try zenith(place, "wal", "index", place.storage, "--check")
        #expect(missing.status == 1 && missing.error.contains("missing"), "\(missing.error)")
        let made = try zenith(place, "wal", "index", place.storage)
        #expect(made.status == 0, "\(made.error)")
        #expect(try archived(place) == Set(stored(place).keys) && stored(place) == self.made(place))
    }

    @Test("are not made before their segments are in storage")
    func order() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let blocked = place.storage + "/wal_005"
        try Data().write(to: URL(fileURLWithPath: blocked))
        try place.succeed("start", "--offload-interval", "1s")
        try place.await("state") { $0 as? String == "streaming" }
        try primary.psql("create table t (a int, b text)")
        try write(primary)
        try place.awaitFlushed(primary)
        try place.await("offloadFailures") { $0 as? Int ?? 0 >= 3 }
        #expect(place.segments.count >= 4 && local(place).isEmpty && stored(place).isEmpty, "\(state(place))")
        try FileManager.default.removeItem(atPath: blocked)
        try place.awaitOffloaded(primary)
        try awaitIndexes(place)
        #expect(try place.status()["indexFailures"] as? Int == 0)
    }

    @Test("wait while more segments are still to be offloaded than go at once")
    func backlog() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        try place.succeed("start", "--offload-interval", "1s", "--workers", "2")
        try place.await("state") { $0 as? String == "streaming" }
        try primary.psql("create table t (a int, b text)")
        try place.awaitFlushed(primary)
        // What the next three would be written to cannot be, and what follows them can.
        let current = try #require(place.segments.last)
        let number = try #require(Int(current.suffix(8), radix: 16))
        let blocked = (1...3).map {
            place.storage + "/wal_005/" + current.prefix(16) + String(format: "%08X.zst/in-the-way", number + $0)
        }
        for path in blocked { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        try write(primary)
        try write(primary)
        try place.awaitFlushed(primary)
        try place.await("offloadFailures") { $0 as? Int ?? 0 >= 4 }
        #expect(try archived(place).count > 3)
        #expect(local(place).keys.allSatisfy { $0 <= current }, "\(state(place))")
        // Two are no backlog.
        func unblock(_ path: String) throws {
            try FileManager.default.removeItem(atPath: (path as NSString).deletingLastPathComponent)
        }
        try unblock(blocked[0])
        try place.eventually(state(place)) { stored(place).keys.contains { $0 > current } }
        for path in blocked.dropFirst() { try unblock(path) }
        try place.awaitOffloaded(primary)
        try awaitIndexes(place)
    }

    @Test("of a timeline that was left have the record that ends on the next one")
    func promotion() throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let backup = try place.backup(primary)
        try place.succeed("start", "--offload-interval", "1s")
        try primary.awaitSafekeeper(place.name)
        try primary.psql("create table t (a int, b text)")
        try write(primary)
        // Over several segments, and not to the end of the last.
        try primary.psql("select pg_logical_emit_message(true, '', repeat('x', 2500000))")
        try place.awaitOffloaded(primary)
        try primary.crash()
        try place.succeed("stop")
        let promoted = try place.recover(backup)
        try place.succeed(
            "start", "--offload-interval", "1s", "--wal-source", try SafekeeperPlace.source(promoted))
        try place.await("timeline") { $0 as? Int == 2 }
        try promoted.psql("insert into t select i, repeat('x', 100) from generate_series(1, 20000) i")
        try promoted.psql("select pg_switch_wal()")
        try place.awaitOffloaded(promoted)
        try awaitIndexes(place)
        #expect(try stored(place) == made(place))
        #expect(stored(place).keys.contains { $0.hasPrefix("00000002") })
    }
}
