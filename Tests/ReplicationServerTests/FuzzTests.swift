import PostgresFormat
import ReplicationServer
import Synchronization
import TestSupport
import Testing

@Suite("any bytes", .timeLimit(.minutes(10)))
struct FuzzTests {
    /// What a consumer says in its life.
    private static let real: [[UInt8]] = [
        RawClient.ordinaryStartup, RawClient.query("IDENTIFY_SYSTEM"), RawClient.query("SHOW wal_segment_size"),
        RawClient.query("CREATE_REPLICATION_SLOT \"a\" TEMPORARY PHYSICAL (RESERVE_WAL)"),
        RawClient.query("START_REPLICATION SLOT \"a\" 0/100000 TIMELINE 1"), RawClient.status(0x140000, asks: true),
        RawClient.message("d", [UInt8(ascii: "h")] + [UInt8](repeating: 7, count: 24)), RawClient.message("c"),
        RawClient.query("TIMELINE_HISTORY 2"), RawClient.message("S"), RawClient.message("X"),
    ]

    private static func hostile(_ generator: inout SeededGenerator) -> [UInt8] {
        if Int.random(in: 0..<5, using: &generator) == 0 {
            return generator.bytes(Int.random(in: 0..<3000, using: &generator))
        }
        // Often a sound start, so that what follows is looked at.
        var messages = Bool.random(using: &generator) ? [real[0]] : []
        for _ in 0..<Int.random(in: 1...12, using: &generator) {
            messages.append(real.randomElement(using: &generator)!)
        }
        var bytes = messages.flatMap { $0 }
        let first = Bool.random(using: &generator) ? min(real[0].count, bytes.count - 1) : 0
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            let place = Int.random(in: first..<bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.insert(contentsOf: generator.bytes(3), at: place)
            default: bytes.removeSubrange(place..<min(place + 2, bytes.count))
            }
            if bytes.count <= first + 1 { break }
        }
        if Int.random(in: 0..<4, using: &generator) == 0 {
            bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
        }
        return bytes
    }

    @Test("end their own connection, and nothing else")
    func fuzz() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        source.advance(to: LSN(rawValue: 0x180000))
        let generator = SeededGenerator()
        let comment = "let generator = SeededGenerator(seed: \(generator.seed))"
        try await serving(source) { server, port in
            try await blocking {
                var generator = generator
                let steady = try RawClient.ready(port: port)
                for round in 0..<600 {
                    let client = try RawClient(port: port)
                    let bytes = Self.hostile(&generator)
                    // Reset, or closed before all is said: both are an end.
                    if round % 2 == 0 {
                        try? client.send(bytes)
                    } else {
                        for start in stride(from: 0, to: bytes.count, by: 97) {
                            do { try client.send(Array(bytes[start..<min(start + 97, bytes.count)])) } catch { break }
                        }
                    }
                    if round % 3 == 0 {
                        client.endWriting()
                        while (try? client.message()) != nil {}
                    }
                    if round % 50 == 0 {
                        #expect(try steady.ask("IDENTIFY_SYSTEM").last?.type == "Z", "\(comment)")
                    }
                }
                try steady.send(RawClient.query("START_REPLICATION 0/100000"))
                #expect(try steady.message().type == "W")
                #expect(
                    try steady.copy(from: 0x100000, to: 0x180000) == source.bytes(0x100000..<0x180000), "\(comment)")
            }
            try await eventually { server.consumers().isEmpty }
            #expect(source.state.withLock { $0.slots.isEmpty }, "\(comment)")
        }
    }
}
