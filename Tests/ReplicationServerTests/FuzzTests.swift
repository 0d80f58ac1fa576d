import PostgresFormat
import ReplicationServer
import Synchronization
import TestSupport
import Testing

@Suite("any bytes", .timeLimit(.minutes(10)))
struct FuzzTests {
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
                    let bytes = RawClient.hostile(&generator)
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
