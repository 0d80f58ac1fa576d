import PostgresFormat
import ReplicationServer
import Synchronization
import TestSupport
import Testing

@Suite("replication commands over a connection", .timeLimit(.minutes(3)))
struct CommandTests {
    /// The values of the one row of an answer; nil for NULL.
    static func row(_ answer: [RawClient.Message]) -> [String?]? {
        guard var rest = answer.first(where: { $0.type == "D" })?.body[2...] else { return nil }
        var values: [String?] = []
        while rest.count >= 4 {
            let length = rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            rest = rest.dropFirst(4)
            if length == .max {
                values.append(nil)
            } else {
                values.append(String(decoding: rest.prefix(Int(length)), as: UTF8.self))
                rest = rest.dropFirst(Int(length))
            }
        }
        return values
    }

    @Test("results, as PostgreSQL's clients read them")
    func results() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        source.state.withLock { $0.histories[3] = Array("1\t0/100000\tno reason\n".utf8) }
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                func ask(_ command: String) throws -> [String?]? { Self.row(try client.ask(command)) }
                #expect(try ask("IDENTIFY_SYSTEM") == ["7711350716358040721", "1", "0/100000", nil])
                #expect(try ask("SHOW wal_segment_size") == ["1MB"])
                #expect(try ask("SHOW data_directory_mode") == ["0700"])
                #expect(try ask("SHOW server_version_num") == ["150014"])
                #expect(try ask("SHOW Server_Version") == ["15.14"])
                #expect(try ask("TIMELINE_HISTORY 3") == ["00000003.history", "1\t0/100000\tno reason\n"])
                #expect(try ask("READ_REPLICATION_SLOT s") == [nil, nil, nil])
                #expect(try ask("CREATE_REPLICATION_SLOT s PHYSICAL (RESERVE_WAL)") == ["s", "0/0", nil, nil])
                #expect(try ask("READ_REPLICATION_SLOT s") == ["physical", "0/100000", "1"])
                #expect(try ask("CREATE_REPLICATION_SLOT t PHYSICAL") == ["t", "0/0", nil, nil])
                #expect(try ask("READ_REPLICATION_SLOT t") == ["physical", nil, nil])
                #expect(try client.ask("DROP_REPLICATION_SLOT s").map(\.type) == ["C", "Z"])
                #expect(try client.ask("").map(\.type) == ["I", "Z"])
            }
        }
    }

    @Test(
        "what fails leaves the connection as it was",
        arguments: [
            ("nonsense", "42601"), ("SELECT 1", "0A000"), ("BASE_BACKUP", "0A000"), ("SHOW work_mem", "42704"),
            ("TIMELINE_HISTORY 2", "58P01"), ("DROP_REPLICATION_SLOT nobody", "42704"),
            ("CREATE_REPLICATION_SLOT \"A\" PHYSICAL", "42602"), ("CREATE_REPLICATION_SLOT taken PHYSICAL", "42710"),
            ("CREATE_REPLICATION_SLOT \(String(repeating: "a", count: 64)) PHYSICAL", "42622"),
            ("START_REPLICATION SLOT nobody 0/100000", "42704"), ("START_REPLICATION 0/100001", "XX000"),
            ("START_REPLICATION FFFFFFFF/FFFFFFFF", "XX000"), ("START_REPLICATION 0/100000 TIMELINE 7", "XX000"),
        ])
    func failures(command: String, code: String) async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        source.state.withLock { $0.slots["taken"] = WALSlot() }
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                let answer = try client.ask(command)
                #expect(answer.map(\.type) == ["E", "Z"])
                #expect(answer.first?.field("C") == code && answer.first?.field("S") == "ERROR")
                #expect(try client.ask("IDENTIFY_SYSTEM").map(\.type) == ["T", "D", "C", "Z"])
            }
        }
    }

    @Test("the extended protocol is refused, once a Sync")
    func extended() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { _, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                let statement = Array("\0SELECT 1\0\0\0".utf8)
                try client.send(
                    RawClient.message("P", statement) + RawClient.message("B") + RawClient.message("E")
                        + RawClient.query("IDENTIFY_SYSTEM") + RawClient.message("S"))
                let answer = try client.answer()
                #expect(answer.map(\.type) == ["E", "Z"])
                #expect(answer.first?.field("C") == "08P01")
                #expect(try client.ask("IDENTIFY_SYSTEM").map(\.type) == ["T", "D", "C", "Z"])
            }
        }
    }

    static let bad: [(String, [UInt8])] = [
        ("an unknown type", RawClient.message("y")), ("a length of 3", [UInt8(ascii: "Q"), 0, 0, 0, 3]),
        ("a length of 2 GiB", [UInt8(ascii: "Q"), 0x80, 0, 0, 0]),
        ("a length of -1", [UInt8(ascii: "d")] + [255, 255, 255, 255]),
        ("a command without an end", RawClient.message("Q", Array("IDENTIFY_SYSTEM".utf8))),
        ("a command with a zero", RawClient.message("Q", Array("IDENTIFY_SYSTEM\0\0".utf8))),
        ("a command of nothing", RawClient.message("Q")), ("a password unasked", RawClient.message("p", [0])),
        ("all zeros", [UInt8](repeating: 0, count: 4096)),
    ]

    @Test("bytes that are no message end the connection", arguments: bad)
    func violations(name: String, bytes: [UInt8]) async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { server, port in
            try await blocking {
                let client = try RawClient.ready(port: port)
                let other = try RawClient.ready(port: port)
                try client.send(bytes)
                let answer = try client.answer()
                #expect(answer.map { $0.field("C") } == ["08P01"])
                #expect(answer.first?.field("S") == "FATAL")
                #expect(try other.ask("IDENTIFY_SYSTEM").map(\.type) == ["T", "D", "C", "Z"])
            }
            try await eventually { server.consumers().isEmpty }
        }
    }

    @Test("a slot has one user, and a temporary one goes with its connection")
    func slots() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { server, port in
            try await blocking {
                let user = try RawClient.ready(port: port)
                #expect(try user.ask("CREATE_REPLICATION_SLOT s TEMPORARY PHYSICAL RESERVE_WAL").last?.type == "Z")
                try user.send(RawClient.query("START_REPLICATION SLOT s 0/100000 TIMELINE 1"))
                #expect(try user.message().type == "W")
                #expect(server.consumers().contains { $0.slot == "s" && $0.sentLSN == LSN(rawValue: 0x100000) })

                let other = try RawClient.ready(port: port)
                #expect(try other.ask("START_REPLICATION SLOT s 0/100000").first?.field("C") == "55006")
                #expect(try other.ask("DROP_REPLICATION_SLOT s").first?.field("C") == "55006")
                try user.send(RawClient.status(0x100000))
                try user.send(RawClient.message("c"))
                #expect(try user.answer().map(\.type) == ["c", "C", "Z"])
                try other.send(RawClient.query("START_REPLICATION SLOT s 0/100000"))
                #expect(try other.message().type == "W")
                try other.send(RawClient.message("X"))
            }
            try await eventually { source.state.withLock { $0.slots.isEmpty } }
            #expect(source.state.withLock { $0.confirmed } == ["s": LSN(rawValue: 0x100000)])
        }
    }

    @Test("a slot in use is dropped when its user lets go, for who waits")
    func dropWaits() async throws {
        let source = try DirectorySource.random(segments: 1)
        defer { source.remove() }
        try await serving(source) { _, port in
            try await blocking {
                let user = try RawClient.ready(port: port)
                _ = try user.ask("CREATE_REPLICATION_SLOT s PHYSICAL")
                try user.send(RawClient.query("START_REPLICATION SLOT s 0/100000"))
                #expect(try user.message().type == "W")
                let other = try RawClient.ready(port: port)
                try other.send(RawClient.query("DROP_REPLICATION_SLOT s WAIT"))
                try user.send(RawClient.message("c"))
                #expect(try user.answer().last?.type == "Z")
                #expect(try other.answer().map(\.type) == ["C", "Z"])
            }
            #expect(source.state.withLock { $0.slots.isEmpty })
        }
    }
}
