import Foundation
import TestSupport
import Testing

/// The safekeeper of a primary of every version; 15 is the one of all other tests.
@Suite("The safekeeper of each PostgreSQL", .timeLimit(.minutes(30)))
struct SafekeeperVersionTests {
    private static let transactions = TestSelection.isSoak ? "20000" : "100"

    @Test(
        "it receives, catches up, has the server's bytes, and brings all of it back from storage alone",
        arguments: PostgresInstallation.majors.filter { $0 != 15 })
    func version(major: Int) throws {
        let primary = try PostgresCluster.primary(major: major)
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let backup = try place.backup(primary)
        try place.succeed("start", "--offload-interval", "1s")
        try primary.awaitSafekeeper(place.name)
        try primary.run("pgbench", ["-i", "-q", "-s", "1", "postgres"])
        try primary.run("pgbench", ["-n", "-c", "4", "-t", Self.transactions, "postgres"])
        try primary.psql("select pg_switch_wal()")
        place.kill()
        try primary.awaitSafekeeper("")
        try primary.run("pgbench", ["-n", "-c", "4", "-t", Self.transactions, "postgres"])
        try place.succeed("start", "--offload-interval", "1s")
        try place.awaitFlushed(primary)
        try primary.awaitSafekeeper(place.name)
        try primary.run("pgbench", ["-n", "-c", "4", "-t", Self.transactions, "postgres"])
        try place.awaitFlushed(primary)
        let rows = try primary.psql("select count(*), sum(delta) from pgbench_history")

        let segments = place.segments
        let read = try run([
            primary.installation.bin + "/pg_waldump", "-p", place.wal, "-q", try #require(segments.first),
            try #require(segments.last),
        ])
        // The end of WAL is an error to it; the words differ between versions.
        #expect(
            read.status == 0 || read.error.contains("invalid record length") || read.error.contains("out-of-sequence"),
            "\(read.error)")
        let own = primary.dataDirectory + "/pg_wal/"
        var compared = 0
        for segment in segments.dropLast().reversed() {
            let files = [own + segment, "\(place.wal)/\(segment)"]
            let comparison = try run(["cmp"] + files)
            if comparison.status == 0 { compared += 1 }
            // Either side may remove what it needs no more meanwhile.
            let areThere = files.allSatisfy { FileManager.default.fileExists(atPath: $0) }
            #expect(comparison.status == 0 || !areThere, "\(comparison)")
        }
        #expect(compared > 0)

        try primary.crash()
        try place.succeed("stop")
        try FileManager.default.removeItem(atPath: primary.dataDirectory)
        try FileManager.default.removeItem(atPath: place.wal)
        let recovered = try place.recover(backup)
        #expect(try recovered.psql("select count(*), sum(delta) from pgbench_history") == rows)
    }
}
