import PostgresFormat
import ReplicationServer
import TestSupport
import Testing

@Suite("start-up of a connection", .timeLimit(.minutes(3)))
struct StartupTests {
    @Test("a consumer is let in and told what libpq needs")
    func ordinary() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { server, port in
            let answer = try await blocking {
                let client = try RawClient(port: port)
                try client.send(RawClient.ordinaryStartup)
                return try client.answer()
            }
            #expect(answer.first == RawClient.Message(type: "R", body: [0, 0, 0, 0]))
            let parameters = answer.filter { $0.type == "S" }.map(\.strings)
            #expect(parameters.contains(["server_version", "15.14"]))
            #expect(parameters.contains(["integer_datetimes", "on"]))
            #expect(parameters.contains(["client_encoding", "UTF8"]))
            #expect(answer.contains { $0.type == "K" })
            #expect(answer.last == RawClient.Message(type: "Z", body: [UInt8(ascii: "I")]))
        }
    }

    @Test("a newer minor version and extensions are negotiated away")
    func negotiation() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { _, port in
            let answer = try await blocking {
                let client = try RawClient(port: port)
                try client.send(
                    RawClient.startup([("user", "u"), ("_pq_.future", "1"), ("replication", "1")], minor: 2))
                return try client.answer()
            }
            let body = RawClient.integer(UInt32(0x3_0000)) + RawClient.integer(UInt32(1)) + Array("_pq_.future\0".utf8)
            #expect(answer.first == RawClient.Message(type: "v", body: body))
            #expect(answer.last?.type == "Z")
        }
    }

    @Test("encryption that is not there is declined, and the connection goes on")
    func declined() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient(port: port)
                try client.send(RawClient.integer(UInt32(8)) + RawClient.integer(UInt32(80_877_104)))
                #expect(try client.read(1) == [UInt8(ascii: "N")])
                try client.send(RawClient.integer(UInt32(8)) + RawClient.integer(UInt32(80_877_103)))
                #expect(try client.read(1) == [UInt8(ascii: "N")])
                try client.send(RawClient.ordinaryStartup)
                #expect(try client.answer().last?.type == "Z")
            }
        }
    }

    static let bad: [(String, [UInt8], String?)] = [
        ("no replication", RawClient.startup([("user", "u"), ("database", "d")]), "0A000"),
        ("a database", RawClient.startup([("user", "u"), ("replication", "database")]), "0A000"),
        ("replication unclear", RawClient.startup([("user", "u"), ("replication", "perhaps")]), "22023"),
        ("no user", RawClient.startup([("replication", "true")]), "28000"),
        ("version 2", RawClient.integer(UInt32(8)) + RawClient.integer(UInt32(2) << 16), "0A000"),
        ("too short", RawClient.integer(UInt32(7)) + [0, 3, 0, 0], "08P01"),
        ("claims 4 GiB", RawClient.integer(UInt32.max) + [0, 3, 0, 0], "08P01"),
        ("no terminator", RawClient.integer(UInt32(12)) + [0, 3, 0, 0] + Array("user".utf8), "08P01"),
        ("a name without a value", RawClient.integer(UInt32(13)) + [0, 3, 0, 0] + Array("user\0".utf8), "08P01"),
        (
            "bytes behind the terminator",
            RawClient.integer(UInt32(18)) + [0, 3, 0, 0] + Array("user\0a\0\0\0\0".utf8.prefix(10)), "08P01"
        ),
        ("an HTTP request", Array("GET / HTTP/1.1\r\n\r\n".utf8), "08P01"),
        ("a TLS hello", [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03], "08P01"),
        (
            "a command behind the request for TLS",
            RawClient.integer(UInt32(8)) + RawClient.integer(UInt32(80_877_103)) + RawClient.ordinaryStartup, "08P01"
        ),
        (
            "a request to cancel",
            RawClient.integer(UInt32(16)) + RawClient.integer(UInt32(80_877_102)) + [0, 0, 0, 1, 0, 0, 0, 2], nil
        ),
    ]

    @Test("whoever says something else is told so, and disconnected", arguments: bad)
    func refused(name: String, bytes: [UInt8], code: String?) async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { server, port in
            let answer = try await blocking {
                let client = try RawClient(port: port)
                try client.send(bytes)
                return try client.answer()
            }
            #expect(answer.map { $0.field("C") } == (code.map { [$0] } ?? []))
            #expect(answer.allSatisfy { $0.field("S") == "FATAL" })
            try await eventually { server.consumers().isEmpty }
        }
    }

    @Test("who says nothing, or not all, has only so long")
    func deadline() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source, settings { $0.startupTimeout = .milliseconds(200) }) { server, port in
            let answers = try await blocking {
                let silent = try RawClient(port: port)
                let slow = try RawClient(port: port)
                try slow.send(Array(RawClient.ordinaryStartup.dropLast()))
                return try [silent.answer(), slow.answer()]
            }
            #expect(answers == [[], []])
            try await eventually { server.consumers().isEmpty }
        }
    }

    @Test("one connection too many is told so")
    func limit() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source, settings { $0.connectionLimit = 2 }) { server, port in
            let answer = try await blocking {
                let first = try RawClient.ready(port: port)
                let second = try RawClient.ready(port: port)
                let third = try RawClient(port: port)
                try third.send(RawClient.ordinaryStartup)
                let answer = try third.answer()
                #expect(try first.ask("IDENTIFY_SYSTEM").last?.type == "Z")
                #expect(try second.ask("IDENTIFY_SYSTEM").last?.type == "Z")
                return answer
            }
            #expect(answer.map { $0.field("C") } == ["53300"])
            try await eventually { server.consumers().isEmpty }
            try await blocking { _ = try RawClient.ready(port: port) }
        }
    }

    @Test("a shutdown tells every client")
    func shutdown() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        let (idle, copying) = try await serving(source) { _, port in
            try await blocking {
                let idle = try RawClient.ready(port: port)
                let copying = try RawClient.ready(port: port)
                try copying.send(RawClient.query("START_REPLICATION 0/100000"))
                #expect(try copying.message().type == "W")
                return (Unchecked(idle), Unchecked(copying))
            }
        }
        for client in [idle, copying] {
            let answer = try await blocking { try client.value.answer() }
            #expect(answer.last?.field("C") == "57P01")
        }
    }

    @Test("an address that is taken is an error")
    func taken() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { _, port in
            _ = await #expect(throws: (any Error).self) {
                _ = try await serving(source, settings { $0.port = port }) { _, _ in 0 }
            }
        }
    }
}

/// Handed from one thread to the next, never used by two.
struct Unchecked<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
