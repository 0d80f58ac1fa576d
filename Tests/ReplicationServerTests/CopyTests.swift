import Foundation
import PostgresFormat
import ReplicationServer
import TestSupport
import Testing

@Suite("copying WAL", .timeLimit(.minutes(5)))
struct CopyTests {
    private let megabyte: UInt64 = 1 << 20

    @Test(
        "what is sent is what the files hold, as it becomes durable",
        arguments: [0x100000, 0x100001, 0x123456, 0x1FFFFF])
    func bytes(start: UInt64) async throws {
        let source = try DirectorySource.random(segments: 4)
        defer { source.remove() }
        let steps: [UInt64] = [0x100000, 0x200000, 0x200001, 0x2FFFFF, 0x3A2000, 0x500000]
        source.advance(to: LSN(rawValue: 0x200000))
        try await serving(source) { server, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                try client.send(RawClient.query("START_REPLICATION PHYSICAL \(LSN(rawValue: start)) TIMELINE 1"))
                #expect(try client.message() == RawClient.Message(type: "W", body: [0, 0, 0]))
                var position = start
                for step in steps where step > start {
                    source.advance(to: LSN(rawValue: step))
                    let wal = try client.copy(from: position, to: step)
                    #expect(try wal == source.bytes(position..<step))
                    position = step
                }
                try client.send(RawClient.status(position, flushed: 0x400000, asks: true))
                #expect(try client.message().body.prefix(9) == [UInt8(ascii: "k")] + RawClient.integer(position)[...])
                let consumer = server.consumers().first
                #expect(consumer?.writtenLSN == LSN(rawValue: position))
                #expect(consumer?.flushedLSN == LSN(rawValue: 0x400000) && consumer?.appliedLSN == nil)
                #expect(consumer?.state == .streaming && consumer?.applicationName == "raw")
                try client.send(RawClient.message("c"))
                #expect(try client.answer().map(\.type) == ["c", "C", "Z"])
                #expect(server.consumers().first?.state == .idle)
                #expect(try client.ask("IDENTIFY_SYSTEM").last?.type == "Z")
            }
        }
    }

    @Test("a client that gives up a copy may go on")
    func copyFail() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                try client.send(
                    RawClient.query("START_REPLICATION 0/100000") + RawClient.message("f", Array("why\0".utf8)))
                let answer = try client.answer()
                #expect(answer.map(\.type) == ["W", "E", "Z"])
                #expect(answer[1].field("C") == "57014")
                #expect(try client.ask("IDENTIFY_SYSTEM").last?.type == "Z")
            }
        }
    }

    static let bad: [(String, [UInt8])] = [
        ("a command", RawClient.query("IDENTIFY_SYSTEM")), ("nothing", RawClient.message("d")),
        ("a kind unknown", RawClient.message("d", [UInt8(ascii: "w")])),
        ("a status cut short", RawClient.message("d", [UInt8(ascii: "r")] + [UInt8](repeating: 0, count: 32))),
        ("feedback cut short", RawClient.message("d", [UInt8(ascii: "h"), 0])),
        ("a message too long", [UInt8(ascii: "d"), 0, 1, 0, 1]),
    ]

    @Test("bytes that are no status update end the connection", arguments: bad)
    func violations(name: String, bytes: [UInt8]) async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { server, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                try client.send(RawClient.query("START_REPLICATION 0/100000") + bytes)
                let answer = try client.answer()
                #expect(answer.map(\.type) == ["W", "E"])
                #expect(answer.last?.field("C") == "08P01" && answer.last?.field("S") == "FATAL")
            }
            try await eventually { server.consumers().isEmpty }
        }
    }

    @Test("hot standby feedback, of old and new servers, is taken", arguments: [16, 24])
    func feedback(size: Int) async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                let feedback = RawClient.message("d", [UInt8(ascii: "h")] + [UInt8](repeating: 0, count: size))
                try client.send(RawClient.query("START_REPLICATION 0/100000") + feedback + RawClient.message("c"))
                #expect(try client.answer().map(\.type) == ["W", "c", "C", "Z"])
            }
        }
    }

    @Test("WAL that is gone is PostgreSQL's error, and the connection goes on")
    func removed() async throws {
        let source = try DirectorySource.random(segments: 3)
        defer { source.remove() }
        source.advance(to: LSN(rawValue: 4 * megabyte))
        try FileManager.default.removeItem(atPath: source.directory + "/000000010000000000000002")
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                _ = try client.ask("CREATE_REPLICATION_SLOT s PHYSICAL")
                for _ in 0..<2 {  // the slot is free again
                    try client.send(RawClient.query("START_REPLICATION SLOT s 0/180000"))
                    let answer = try client.answer()
                    #expect(answer.filter { $0.type == "d" }.reduce(0) { $0 + $1.body.count - 25 } == 0x80000)
                    #expect(answer.suffix(2).map(\.type) == ["E", "Z"])
                    let error = answer[answer.count - 2]
                    #expect(error.field("C") == "58P01")
                    #expect(
                        error.field("M") == "requested WAL segment 000000010000000000000002 has already been removed")
                    // What the client had under way is passed over.
                    try client.send(RawClient.status(0x200000) + RawClient.message("c"))
                }
                #expect(try client.ask("IDENTIFY_SYSTEM").last?.type == "Z")
            }
        }
    }

    @Test("a file that is shorter than its WAL is an error, not silence")
    func short() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        source.advance(to: LSN(rawValue: 2 * megabyte))
        truncate(source.directory + "/000000010000000000000001", 0x1000)
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                let answer = try client.ask("START_REPLICATION 0/100000")
                #expect(answer.last?.type == "Z" && answer.dropLast().last?.field("C") == "58030")
            }
        }
    }

    /// Segment 2 of timeline 1 goes on as timeline 2's, which has the same bytes up to the switch.
    private func switching(_ source: DirectorySource) throws {
        let path = source.directory
        try FileManager.default.copyItem(
            atPath: path + "/000000010000000000000002", toPath: path + "/000000020000000000000002")
        source.switchTimeline(
            to: 2, at: LSN(rawValue: 0x212345), flushedLSN: LSN(rawValue: 0x300000),
            history: Array("1\t0/212345\tno recovery target specified\n".utf8))
    }

    @Test("a timeline that ends during a copy")
    func switchDuringCopy() async throws {
        let source = try DirectorySource.random(segments: 3)
        defer { source.remove() }
        source.advance(to: LSN(rawValue: 0x212345))
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                try client.send(RawClient.query("START_REPLICATION 0/100000 TIMELINE 1"))
                #expect(try client.message().type == "W")
                #expect(try client.copy(from: 0x100000, to: 0x212345) == source.bytes(0x100000..<0x212345))
                try self.switching(source)
                #expect(try client.message().type == "c")
                try client.send(RawClient.message("c"))
                let answer = try client.answer()
                #expect(answer.map(\.type) == ["T", "D", "C", "Z"])
                #expect(CommandTests.row(answer) == ["2", "0/212345"])
                try client.send(RawClient.query("START_REPLICATION 0/200000 TIMELINE 2"))
                #expect(try client.message().type == "W")
                #expect(try client.copy(from: 0x200000, to: 0x300000) == source.bytes(0x200000..<0x300000, timeline: 2))
            }
        }
    }

    @Test("a timeline that ended before")
    func switchBefore() async throws {
        let source = try DirectorySource.random(segments: 3)
        defer { source.remove() }
        try switching(source)
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                try client.send(RawClient.query("START_REPLICATION 0/200000 TIMELINE 1"))
                #expect(try client.message().type == "W")
                #expect(try client.copy(from: 0x200000, to: 0x212345) == source.bytes(0x200000..<0x212345))
                #expect(try client.message().type == "c")
                try client.send(RawClient.message("c"))
                #expect(CommandTests.row(try client.answer()) == ["2", "0/212345"])
                // From its very end there is nothing to copy.
                let atEnd = try client.ask("START_REPLICATION 0/212345 TIMELINE 1")
                #expect(atEnd.map(\.type) == ["T", "D", "C", "Z"])
                #expect(CommandTests.row(atEnd) == ["2", "0/212345"])
                let beyond = try client.ask("START_REPLICATION 0/212346 TIMELINE 1")
                #expect(beyond.first?.field("D") == "This server's history forked from timeline 1 at 0/212345.")
            }
        }
    }

    @Test("a silent consumer is asked once, then disconnected; one that answers stays")
    func silence() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source, settings { $0.senderTimeout = .seconds(24) }) { server, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                try client.send(RawClient.query("START_REPLICATION 0/100000"))
                #expect(try client.message().type == "W")
                for _ in 0..<2 {
                    let question = try client.message()
                    #expect(question.body.first == UInt8(ascii: "k") && question.body.last == 1)
                    try client.send(RawClient.status(0x100000))
                }
                #expect(try client.message().body.last == 1)
                #expect(try client.answer() == [])
            }
            try await eventually { server.consumers().isEmpty }
        }
    }
}
