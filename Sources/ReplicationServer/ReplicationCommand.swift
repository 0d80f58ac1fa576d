import PostgresFormat

/// A command of the replication protocol, of those for physical replication.
enum ReplicationCommand: Hashable {
    case identifySystem
    case show(String)
    case timelineHistory(TimelineID)
    case createSlot(String, isTemporary: Bool, reservesWAL: Bool)
    case readSlot(String)
    case dropSlot(String, waits: Bool)
    case start(slot: String?, LSN, timeline: TimelineID?)

    /// Parses a command; nil when there is none in it.
    ///
    /// - Throws: 42601 for what is no command, 0A000 for one that is not available here.
    /// - Note: Source: PostgreSQL, `src/backend/replication/repl_gram.y`.
    static func parse(_ text: [UInt8]) throws(ServerError) -> ReplicationCommand? {
        var parser = Parser(CommandScanner(text))
        try parser.advance()
        guard let first = parser.token else { return nil }
        guard case .word(let verb) = first else { throw CommandScanner.syntaxError }
        // What PostgreSQL would do is refused before its syntax is looked at.
        if let what = unavailable[verb] {
            throw .error("0A000", "\(verb.uppercased()) is not available: this is a source of WAL, \(what)")
        }
        try parser.advance()
        let command = try parser.command(verb)
        if parser.token == .mark(UInt8(ascii: ";")) { try parser.advance() }
        guard parser.token == nil else { throw CommandScanner.syntaxError }
        return command
    }

    private static let unavailable = [
        "base_backup": "and makes no backups", "upload_manifest": "and makes no backups",
        "alter_replication_slot": "and its slots have nothing to alter",
        "select": "not a database", "begin": "not a database", "set": "not a database",
    ]
}

/// The token that comes next, and what may be made of it.
private struct Parser {
    private var scanner: CommandScanner
    private(set) var token: CommandScanner.Token?

    init(_ scanner: CommandScanner) { self.scanner = scanner }

    mutating func advance() throws(ServerError) { token = try scanner.next() }

    mutating func command(_ verb: String) throws(ServerError) -> ReplicationCommand {
        switch verb {
        case "identify_system": return .identifySystem
        case "show":
            var name = try identifier()
            while token == .mark(UInt8(ascii: ".")) {
                try advance()
                name += "." + (try identifier())
            }
            return .show(name)
        case "timeline_history": return .timelineHistory(try timeline())
        case "create_replication_slot": return try createSlot()
        case "read_replication_slot": return .readSlot(try identifier())
        case "drop_replication_slot": return .dropSlot(try identifier(), waits: try accept("wait"))
        case "start_replication": return try start()
        default: throw CommandScanner.syntaxError
        }
    }

    private mutating func createSlot() throws(ServerError) -> ReplicationCommand {
        let name = try identifier()
        let isTemporary = try accept("temporary")
        guard try !accept("logical") else { throw Self.noLogical }
        guard try accept("physical") else { throw CommandScanner.syntaxError }
        var reservesWAL = false
        if token == .mark(UInt8(ascii: "(")) {  // PostgreSQL 15 and later
            repeat {
                try advance()
                let option = try identifier()
                guard option == "reserve_wal" else {
                    throw .error("42601", "unrecognized option: \"\(printable(option))\"")
                }
                reservesWAL = try flag()
            } while token == .mark(UInt8(ascii: ","))
            guard token == .mark(UInt8(ascii: ")")) else { throw CommandScanner.syntaxError }
            try advance()
        } else {
            reservesWAL = try accept("reserve_wal")
        }
        return .createSlot(name, isTemporary: isTemporary, reservesWAL: reservesWAL)
    }

    private mutating func start() throws(ServerError) -> ReplicationCommand {
        var slot: String?
        if try accept("slot") { slot = try identifier() }
        guard try !accept("logical") else { throw Self.noLogical }
        _ = try accept("physical")
        guard case .position(let lsn) = token else { throw CommandScanner.syntaxError }
        try advance()
        let timeline = try accept("timeline") ? try self.timeline() : nil
        return .start(slot: slot, lsn, timeline: timeline)
    }

    private static let noLogical = ServerError.error(
        "0A000", "logical replication is not available: this is a source of WAL and not a database")

    /// The value of an option: true where none is given.
    private mutating func flag() throws(ServerError) -> Bool {
        let value: String
        switch token {
        case .word(let text), .quoted(let text), .text(let text): value = text.lowercased()
        case .number(let number): value = String(number)
        default: return true
        }
        try advance()
        switch value {
        case "true", "on", "1": return true
        case "false", "off", "0": return false
        default: throw .error("42601", "reserve_wal requires a Boolean value")
        }
    }

    /// Steps over this keyword where it comes next.
    private mutating func accept(_ keyword: String) throws(ServerError) -> Bool {
        guard token == .word(keyword) else { return false }
        try advance()
        return true
    }

    private mutating func identifier() throws(ServerError) -> String {
        switch token {
        case .word(let name), .quoted(let name):
            try advance()
            return name
        default: throw CommandScanner.syntaxError
        }
    }

    private mutating func timeline() throws(ServerError) -> TimelineID {
        guard case .number(let number) = token, let timeline = TimelineID(exactly: number), timeline > 0 else {
            throw .error("42601", "invalid timeline")
        }
        try advance()
        return timeline
    }
}
