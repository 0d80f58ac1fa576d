import NIOCore
import PostgresFormat
import StorageURI
import TestSupport
import Testing

@testable import ReplicationServer

@Suite("replication commands")
struct ParserTests {
    @Test(
        "what PostgreSQL's clients send",
        arguments: [
            ("IDENTIFY_SYSTEM", ReplicationCommand.identifySystem),
            ("identify_system;", .identifySystem),
            ("SHOW wal_segment_size", .show("wal_segment_size")),
            ("SHOW a.b", .show("a.b")),
            ("TIMELINE_HISTORY 2", .timelineHistory(2)),
            (
                "CREATE_REPLICATION_SLOT \"s\" PHYSICAL RESERVE_WAL",
                .createSlot("s", isTemporary: false, reservesWAL: true)
            ),
            (
                "CREATE_REPLICATION_SLOT \"s\" PHYSICAL (RESERVE_WAL)",
                .createSlot("s", isTemporary: false, reservesWAL: true)
            ),
            (
                "CREATE_REPLICATION_SLOT s PHYSICAL (RESERVE_WAL false)",
                .createSlot("s", isTemporary: false, reservesWAL: false)
            ),
            ("CREATE_REPLICATION_SLOT s TEMPORARY PHYSICAL", .createSlot("s", isTemporary: true, reservesWAL: false)),
            ("READ_REPLICATION_SLOT \"a\"\"b\"", .readSlot("a\"b")),
            ("READ_REPLICATION_SLOT Abc", .readSlot("abc")),
            ("DROP_REPLICATION_SLOT s", .dropSlot("s", waits: false)),
            ("DROP_REPLICATION_SLOT s WAIT ;", .dropSlot("s", waits: true)),
            ("START_REPLICATION 0/3000000", .start(slot: nil, LSN(rawValue: 0x300_0000), timeline: nil)),
            ("START_REPLICATION A/b0 TIMELINE 3", .start(slot: nil, LSN(rawValue: 0xA_0000_00B0), timeline: 3)),
            ("start_replication slot \"S\" physical 0/0 timeline 1", .start(slot: "S", .invalid, timeline: 1)),
        ])
    func commands(text: String, command: ReplicationCommand) throws {
        #expect(try ReplicationCommand.parse(Array(text.utf8)) == command)
    }

    @Test("nothing is no command", arguments: ["", "  \n\t"])
    func empty(text: String) throws {
        #expect(try ReplicationCommand.parse(Array(text.utf8)) == nil)
    }

    @Test(
        "anything else is refused",
        arguments: [
            ("DROP TABLE t", "42601"), ("SELECT 1", "0A000"), ("BASE_BACKUP (LABEL 'x')", "0A000"),
            ("START_REPLICATION", "42601"), ("START_REPLICATION 0/", "42601"), ("START_REPLICATION /0", "42601"),
            ("START_REPLICATION 0/123456789", "42601"), ("START_REPLICATION 0/0 TIMELINE", "42601"),
            ("START_REPLICATION 0/0 TIMELINE 0", "42601"), ("START_REPLICATION 0/0 TIMELINE 4294967296", "42601"),
            ("START_REPLICATION 0/0 TIMELINE 99999999999999999999999", "42601"),
            ("START_REPLICATION SLOT s LOGICAL 0/0", "0A000"), ("START_REPLICATION 0/0 0/0", "42601"),
            ("CREATE_REPLICATION_SLOT s LOGICAL test_decoding", "0A000"), ("CREATE_REPLICATION_SLOT s", "42601"),
            ("CREATE_REPLICATION_SLOT s PHYSICAL (", "42601"), ("CREATE_REPLICATION_SLOT s PHYSICAL ()", "42601"),
            ("CREATE_REPLICATION_SLOT s PHYSICAL (X)", "42601"),
            ("CREATE_REPLICATION_SLOT s PHYSICAL (RESERVE_WAL maybe)", "42601"),
            ("READ_REPLICATION_SLOT 's'", "42601"), ("READ_REPLICATION_SLOT \"s", "42601"),
            ("IDENTIFY_SYSTEM x", "42601"),
            ("IDENTIFY_SYSTEM; IDENTIFY_SYSTEM", "42601"), ("\u{0}", "42601"), ("TIMELINE_HISTORY -1", "42601"),
            (";", "42601"),
            ("'", "42601"), ("SHOW", "42601"), ("SHOW a.", "42601"), ("é", "42601"),
        ])
    func refused(text: String, code: String) {
        let error = #expect(throws: ServerError.self) { try ReplicationCommand.parse(Array(text.utf8)) }
        #expect(error?.code == code && error?.severity == .error)
    }

    @Test("messages that never end where a read does are all there, and take no memory that grows")
    func decoding() {
        var decoder = FrontendDecoder()
        var rest = RawClient.ordinaryStartup
        var count = 0
        for round in 0..<20_000 {
            rest += RawClient.status(UInt64(round))
            var bytes = ByteBuffer(bytes: rest.dropLast(1))
            rest = Array(rest.suffix(1))
            decoder.append(&bytes)
            while decoder.next() != nil { count += 1 }
        }
        #expect(count == 20_000)  // the start-up packet, and all but the last
        #expect(decoder.capacity < 4096)
    }
}

@Suite("lists of users")
struct UserListTests {
    private static let verifier =
        "SCRAM-SHA-256$4096:AQIDBAUGBwgJCgsMDQ4PEA==$9t2OtQHdiF+sGkmvxzd7Hi+ISL4HOW14+pBYfophhH4=:"
        + "SbiWpEMcfcjnNxGw9Eut0+SRxOwWdKxZetNUuq1jFUE="

    @Test func whatPgbouncerTakes() throws {
        let text =
            "; comment\n\n  \"a\" \"\(Self.verifier)\" more\r\n# another\n\"b \"\"c\"\"\"\t\"\(Self.verifier)\"\n"
        #expect(try UserList.parse(Secret(text)).keys.sorted() == ["a", "b \"c\""])
        #expect(try UserList.parse(Secret("")).isEmpty)
    }

    @Test(arguments: [
        ("a \"b\"", 1), ("\n\"a\"", 2), ("\"a\" \"plain\"", 1), ("\"a\" \"md5aabb\"", 1), ("\"a\" \"open", 1),
        ("\"\" \"\(verifier)\"", 1), ("\"a\" \"\(verifier)\"\n\"a\" \"\(verifier)\"", 2),
    ])
    func faults(_ text: String, _ line: Int) {
        let fault = #expect(throws: UserList.Fault.self) { try UserList.parse(Secret(text)) }
        #expect(fault?.line == line && fault?.description.contains("plain") == false)
    }
}
