import Foundation
import TestSupport
import Testing

/// Three safekeepers of which two must have a commit.
@Suite("A quorum of safekeepers", .serialized, .timeLimit(.minutes(30)))
struct SafekeeperQuorumTests {
    private static let rounds = TestSelection.isSoak ? 20 : 1
    /// A commit that takes longer has hung.
    private static let patience = Duration.seconds(20)

    @Test("one is away at a time: commits go on, it catches up, and any two hold all that was acknowledged")
    func quorum() throws {
        let primary = try PostgresCluster.primary(["max_wal_senders = 10"])
        try AcknowledgedLoad.prepare(primary)
        let places = try ["sk1", "sk2", "sk3"].map { try SafekeeperPlace($0) }
        for place in places { try place.initialize(primary) }
        let backup = try places[0].backup(primary)
        for place in places { try place.succeed("start") }
        try primary.awaitSafekeeper("ANY 2 (sk1, sk2, sk3)")
        let load = try AcknowledgedLoad(primary)
        for _ in 0..<Self.rounds {
            places[0].kill()
            try load.awaitCommits()
            try places[0].succeed("start")
            try places[0].awaitFlushed(primary)
            try places[1].succeed("stop")
            try load.awaitCommits()
            try places[1].succeed("start")
            try places[1].awaitFlushed(primary)
        }
        let outcome = try load.end()
        #expect(outcome.longest < Self.patience, "\(outcome.words)")
        for place in places { try place.awaitFlushed(primary) }
        try expectSameWAL(places)

        // The end comes while one is behind.
        let last = try AcknowledgedLoad(primary, run: 2)
        try last.awaitCommits()
        places[2].kill()
        try last.awaitCommits()
        try primary.crash()
        let lastOutcome = try last.finish()
        for place in places[..<2] { try place.succeed("stop") }
        try FileManager.default.removeItem(atPath: primary.dataDirectory)
        try expectSameWAL(places)
        let ends = try places.map { try $0.position("flushed") }
        var best: Set<Int> = []
        for pair in [[0, 1], [0, 2], [1, 2]] { best.insert(pair.max { ends[$0] < ends[$1] }!) }
        for index in best {
            let recovered = try places[index].recover(SafekeeperPlace.copy(backup, places[index].name))
            try outcome.expect(in: recovered)
            try lastOutcome.expect(in: recovered)
        }
    }

    /// All have the same bytes, up to where the shortest of them ends.
    private func expectSameWAL(_ places: [SafekeeperPlace]) throws {
        let end = try places.map { try $0.position("flushed") }.min() ?? 0
        var common = Set(places[0].segments)
        for place in places { common.formIntersection(place.segments) }
        #expect(!common.isEmpty)
        for name in common.sorted() {
            let count = Int(min(end - min(end, Self.start(of: name)), 1 << 20))
            for place in places.dropFirst() {
                let compared = try run([
                    "cmp", "-n", String(count), "\(places[0].wal)/\(name)", "\(place.wal)/\(name)",
                ])
                #expect(compared.status == 0, "\(place.name): \(compared.output)\(compared.error)")
            }
        }
    }

    /// Of a segment of 1 MiB: 8 digits of its name are the timeline, 8 the LSN's upper half, 8 the number below that.
    private static func start(of name: String) -> UInt64 {
        let parts = [name.dropFirst(8).prefix(8), name.suffix(8)].map { UInt64($0, radix: 16) ?? 0 }
        return parts[0] << 32 | parts[1] << 20
    }
}
