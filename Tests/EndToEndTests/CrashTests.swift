import Foundation
import Glibc
import TestSupport
import Testing

@Suite("kill -9 at any moment, and another run", .serialized)
struct CrashTests {
    /// Printed by a failure: the delays of a run can be had again.
    private struct Delays: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {  // xorshift64*
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 2_685_821_657_736_338_717
        }
    }

    private let seed = UInt64.random(in: 1...UInt64.max)

    @Test("of init")
    func initialization() throws {
        var delays = Delays(state: seed)
        let work = try Workplace()
        let arguments = [
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format",
            "pgdata",
        ]
        var interrupted = 0
        for _ in 0..<8 {
            let delay = Int.random(in: 0...700, using: &delays)
            if try work.kill(arguments, afterMilliseconds: delay) { interrupted += 1 }
            let result = try work.zenith(arguments)
            // 73: the run that was to be killed had come to its end.
            #expect(result.status == 0 || result.status == 73, "seed \(seed), \(delay) ms: \(result.error)")
            try work.succeed("snapshot", "create")
            #expect(try work.succeed("snapshot", "verify").contains("is sound"), "seed \(seed), \(delay) ms")
            for name in ["dir", "storage"] { try FileManager.default.removeItem(atPath: work.path + "/" + name) }
        }
        #expect(interrupted > 0)
    }

    @Test("of a push")
    func push() throws {
        var delays = Delays(state: seed)
        let work = try Workplace()
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format",
            "pgdata")
        let fresh = work.path + "/fresh"
        _ = try run(["cp", "-a", work.storage, fresh])
        let local = work.path + "/local"
        _ = try run(["cp", "-a", work.directory, local])
        for _ in 0..<12 {
            let delay = Int.random(in: 5...150, using: &delays)
            _ = try work.kill(["start", "--foreground"], afterMilliseconds: delay)
            let listed = try work.succeed("snapshot", "list", "--json")
            if listed.contains("\"stored\" : true") {
                #expect(try work.succeed("snapshot", "verify").contains("is sound"), "seed \(seed), \(delay) ms")
            }
            try work.succeed("snapshot", "create")
            #expect(try work.succeed("snapshot", "verify").contains("is sound"), "seed \(seed), \(delay) ms")
            for (name, original) in [("storage", fresh), ("dir", local)] {
                try FileManager.default.removeItem(atPath: work.path + "/" + name)
                _ = try run(["cp", "-a", original, work.path + "/" + name])
            }
        }
    }

    @Test("of an export")
    func export() throws {
        var delays = Delays(state: seed)
        let work = try Workplace()
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format",
            "pgdata")
        try work.succeed("snapshot", "create")
        let target = work.path + "/restored"
        for _ in 0..<8 {
            let delay = Int.random(in: 0...500, using: &delays)
            let wasRunning = try work.kill(
                ["export", "--snapshot-path", target, "--snapshot-format", "pgdata"], afterMilliseconds: delay)
            let looksWhole =
                FileManager.default.fileExists(atPath: target + "/PG_VERSION")
                && FileManager.default.fileExists(atPath: target + "/global/pg_control")
                && !FileManager.default.fileExists(atPath: target + "/zenith-export-unfinished")
            if wasRunning && !looksWhole {
                _ = try work.export(to: "restored")
            } else if !FileManager.default.fileExists(atPath: target) {
                _ = try work.export(to: "restored")
            }
            let difference = try run(["diff", "-rq", try SourceCluster.get().path, target])
            let unexpected = difference.output.split(separator: "\n").filter { line in
                !["pg_internal.init", "postmaster.opts", "pg_subtrans", "pg_wal", "pgsql_tmp", "pg_notify"]
                    .contains { line.contains($0) }
            }
            #expect(unexpected.isEmpty, "seed \(seed), \(delay) ms: \(unexpected)")
            try FileManager.default.removeItem(atPath: target)
        }
    }

    @Test("the later of two pageservers writes, the earlier stops")
    func superseded() throws {
        let work = try Workplace()
        try work.succeed(
            "init", "--storage-dest", work.storage, "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format",
            "pgdata")
        // Two installations that both hold the unpushed snapshot.
        _ = try run(["cp", "-a", work.directory, work.path + "/twin"])
        try work.succeed("snapshot", "create", "-D", "twin")
        try work.succeed("start", "-D", "twin")
        try work.succeed("start")
        let first = try json(work.succeed("status", "--json", "-D", "twin"))
        let second = try json(work.succeed("status", "--json"))
        let generations = [first, second].map { ($0["pageserver"] as? [String: Any])?["generation"] as? Int ?? 0 }
        #expect(generations[0] < generations[1])
        try work.succeed("stop", "-D", "twin")
    }
}
