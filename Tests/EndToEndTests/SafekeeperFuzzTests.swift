import Foundation
import Glibc
import TestSupport
import Testing

/// Hostile clients of a daemon that receives, and serves a real consumer.
@Suite("The safekeeper's port", .serialized, .timeLimit(.minutes(30)))
struct SafekeeperFuzzTests {
    private static let rounds = TestSelection.isSoak ? 20_000 : 600
    /// Far more than it has with consumers at work, far less than lengths that are claimed here.
    private static let memoryKilobytes = 512 << 10

    @Test("any bytes end their own connection; receiving and serving go on, and memory is bounded")
    func fuzz() async throws {
        let primary = try PostgresCluster.primary()
        try AcknowledgedLoad.prepare(primary)
        let place = try SafekeeperPlace()
        try place.initialize(primary)
        let backup = try place.backup(primary)
        try place.succeed("start")
        try primary.awaitSafekeeper(place.name)
        let standby = try PostgresCluster.open(backup)
        try standby.configure([
            "primary_conninfo = 'host=127.0.0.1 port=\(place.port) user=any application_name=real'",
            "restore_command = ''",
        ])
        try Data().write(to: URL(fileURLWithPath: backup + "/standby.signal"))
        _ = try run(["chown", "-R", "--reference=\(backup)", backup])
        try standby.start()
        let pid = try #require(place.processID)
        let load = try AcknowledgedLoad(primary)
        try load.awaitCommits()
        try place.await("flushed") { $0 is String }
        let position = try place.position("flushed") - 0x20000

        let generator = SeededGenerator()
        let comment = "let generator = SeededGenerator(seed: \(generator.seed))"
        let rounds = Self.rounds
        try await onThread {
            var generator = generator
            var halfOpen: [RawClient] = []
            for round in 0..<rounds {
                let client = try RawClient(port: place.port)
                let bytes =
                    round % 10 == 9
                    ? Self.flood(round / 10) : RawClient.hostile(&generator, at: position)
                // Reset, or closed before all is said: both are an end.
                try? client.send(bytes)
                if round % 20 == 0 { halfOpen.append(client) }
                if halfOpen.count > 20 { halfOpen.removeFirst() }
                if round % 3 == 0 {
                    client.endWriting()
                    while (try? client.message()) != nil {}
                }
            }
        }
        #expect(place.processID == pid, "\(comment)")
        try load.awaitCommits()
        try place.awaitFlushed(primary)
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM") }
        let kilobytes = peak.flatMap { Int($0.filter(\.isNumber)) }
        #expect(kilobytes ?? .max < Self.memoryKilobytes, "\(comment) \(status)")
        // Never disconnected.
        #expect(!standby.log.contains("FATAL"), "\(comment) \(standby.log)")
        try primary.stop(.immediate)
        _ = try load.finish()
        // What is left is the real one.
        try place.await("consumers") { ($0 as? [[String: Any]])?.map { $0["name"] as? String } == ["real"] }
        // Those of connections that ended go with them, a moment later.
        try place.await("slots") { ($0 as? [String: String])?.isEmpty == true }
        #expect(!place.log.contains("Fatal error"), "\(comment)")
    }

    /// Requests for encryption without an end, and lengths that nobody means.
    private static func flood(_ kind: Int) -> [UInt8] {
        let encryption = RawClient.integer(UInt32(8)) + RawClient.integer(UInt32(80_877_103))
        let gss = RawClient.integer(UInt32(8)) + RawClient.integer(UInt32(80_877_104))
        let cancel =
            RawClient.integer(UInt32(16)) + RawClient.integer(UInt32(80_877_102)) + RawClient.integer(UInt64(1))
        func long(_ type: Unicode.Scalar, _ length: UInt32) -> [UInt8] {
            RawClient.ordinaryStartup + [UInt8(ascii: type)] + RawClient.integer(length)
                + [UInt8](repeating: 0x41, count: 100_000)
        }
        switch kind % 7 {
        case 0: return [[UInt8]](repeating: encryption, count: 2000).flatMap { $0 }
        case 1: return [[UInt8]](repeating: gss, count: 2000).flatMap { $0 }
        case 2: return [[UInt8]](repeating: encryption + gss + cancel, count: 500).flatMap { $0 }
        case 3: return long("Q", 0x7FFF_FFFF)
        case 4: return long("d", 0xFFFF_FFFF)
        case 5: return RawClient.integer(UInt32(0x7FFF_FFFF)) + [UInt8](repeating: 0, count: 100_000)
        default: return long("p", 3)
        }
    }
}

/// Runs what blocks for long on a thread of its own.
private func onThread(_ work: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}
