import Foundation
import TestSupport
import Testing

/// Several safekeepers that bring the same history to the same place.
@Suite("An archive that safekeepers share", .timeLimit(.minutes(30)))
struct SafekeeperSharingTests {
    private func archived(_ place: SafekeeperPlace) -> [String: Data] {
        let directory = place.storage + "/wal_005"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return Dictionary(
            uniqueKeysWithValues: names.compactMap { name in
                FileManager.default.contents(atPath: "\(directory)/\(name)").map { (name, $0) }
            })
    }

    @Test("two offload at once, one is killed and comes back: no conflict, and storage alone has all of it")
    func two() throws {
        let primary = try PostgresCluster.primary(["max_wal_senders = 10"])
        try AcknowledgedLoad.prepare(primary)
        let one = try SafekeeperPlace("sk1")
        let two = try SafekeeperPlace("sk2", storage: one.storage)
        for place in [one, two] { try place.initialize(primary) }
        let backup = try one.backup(primary)
        for place in [one, two] { try place.succeed("start", "--offload-interval", "1s") }
        try primary.awaitSafekeeper("ANY 1 (sk1, sk2)")
        let load = try AcknowledgedLoad(primary)
        for round in 0..<(TestSelection.isSoak ? 40 : 2) {
            let place = [two, one][round % 2]
            place.kill()
            // Ahead of the other, with a segment that is not full.
            try primary.psql("select pg_switch_wal()")
            try load.awaitCommits()
            try place.succeed("start", "--offload-interval", "1s")
            try load.awaitCommits()
        }
        let outcome = try load.end()
        for place in [one, two] {
            try place.awaitFlushed(primary)
            try place.awaitOffloaded(primary)
            try place.await("offloadError") { !($0 is String) }
            #expect(!place.log.contains("cannot offload"), "\(place.log)")
        }
        try primary.crash()
        for place in [one, two] { try place.succeed("stop") }
        let shown = try one.archive()
        #expect(shown["missing"] as? Int == 0)
        // Beginnings of segments that are whole are gone, whoever left them.
        let partials = (shown["timelines"] as? [[String: Any]])?.flatMap { $0["partials"] as? [String] ?? [] }
        #expect(partials?.count ?? 9 <= 1, "\(partials ?? [])")
        for place in [one, two] { try FileManager.default.removeItem(atPath: place.wal) }
        try FileManager.default.removeItem(atPath: primary.dataDirectory)
        try outcome.expect(in: try one.recover(backup))
    }

    @Test("one of a history that has diverged is refused, and changes nothing there", arguments: [true, false])
    func diverged(isWhole: Bool) throws {
        let primary = try PostgresCluster.primary()
        let place = try SafekeeperPlace("sk1")
        try place.initialize(primary)
        try place.succeed("start", "--offload-interval", "1s")
        try primary.psql("create table t as select generate_series(1, 1000) g")
        try place.awaitFlushed(primary)
        try primary.stop(.fast)
        let copy = primary.directory + "/twin"
        try run(["cp", "-a", primary.dataDirectory, copy]).check()
        // Both go on from the same place on the same timeline, as no two servers ever should.
        try place.succeed("stop")
        let twin = try PostgresCluster.open(copy)
        try primary.start()
        try twin.start()
        let other = try SafekeeperPlace("sk1", storage: place.storage)
        try other.initialize(twin)
        try other.succeed("start", "--offload-interval", "600s")
        try other.awaitFlushed(twin)
        try other.succeed("stop", "--mode", "immediate")

        try place.succeed(
            "start", "--wal-source", try SafekeeperPlace.source(primary), "--offload-interval", "1s")
        try primary.psql("insert into t select generate_series(1, \(isWhole ? 50_000 : 100))")
        try place.awaitFlushed(primary)
        try place.awaitOffloaded(primary)
        place.kill()
        let before = archived(place)

        // Further than the first one, so that it has segments that the archive does not have.
        try twin.psql("insert into t select generate_series(1, \(isWhole ? 200_000 : 200)) order by 1 desc")
        try other.succeed(
            "start", "--wal-source", try SafekeeperPlace.source(twin), "--offload-interval", "1s")
        try other.awaitFlushed(twin)
        try other.await("offloadError") {
            ($0 as? String)?.contains("two servers have written it; nothing was overwritten") == true
        }
        try other.succeed("stop")
        #expect(other.log.contains("stays on this disk alone"))
        let after = archived(place)
        #expect(before.keys.sorted() == after.keys.sorted())
        #expect(before == after)
    }
}
