import PostgresFormat
import ReplicationServer
import TestSupport
import Testing

@Suite("many consumers, and slow ones", .timeLimit(.minutes(10)))
struct LoadTests {
    @Test("fifty take all there is, while one that does not read is sent no more than the sockets hold")
    func fifty() async throws {
        let source = try DirectorySource.random(segments: 40)
        defer { source.remove() }
        let start: UInt64 = 0x100000
        source.advance(to: LSN(rawValue: start + (40 << 20)))
        let end = start + (8 << 20)
        try await serving(source) { server, port in
            let expected = try source.bytes(start..<end)
            let stalled = try await blocking {
                let client = try RawClient.ready(port: port, receiveBuffer: 4096)
                try client.send(RawClient.query("START_REPLICATION \(LSN(rawValue: start))"))
                return Unchecked(client)
            }
            try await withThrowingTaskGroup { group in
                for _ in 0..<50 {
                    group.addTask {
                        try await blocking {
                            let client = try RawClient.ready(port: port)
                            try client.send(RawClient.query("START_REPLICATION \(LSN(rawValue: start))"))
                            #expect(try client.message().type == "W")
                            #expect(try client.copy(from: start, to: end).prefix(expected.count) == expected[...])
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await eventually { server.consumers().count == 1 }
            let consumer = try #require(server.consumers().first)
            #expect(consumer.state == .catchup)
            #expect(try #require(consumer.sentLSN).rawValue < start + (16 << 20))
            // It is served on when it reads again.
            let wal = try await blocking {
                #expect(try stalled.value.message().type == "W")
                return try stalled.value.copy(from: start, to: start + (4 << 20))
            }
            #expect(wal.starts(with: expected[..<(4 << 20)]))
        }
    }
}
