import CLibpq
import Glibc
public import PostgresFormat

/// A connection to a PostgreSQL server that speaks the physical replication protocol. One thread uses it, and blocks.
///
/// libpq connects: whatever it knows of authentication, TLS, service and password files, and variables counts.
public struct ReplicationConnection: ~Copyable {
    let raw: OpaquePointer

    /// How long a connection may take to come up, for each address that the host has.
    private static let connectTimeoutSeconds = 15

    /// - Parameters:
    ///   - connectionInfo: In either of libpq's forms.
    ///   - applicationName: What `pg_stat_replication` and `synchronous_standby_names` know it by, unless the
    ///     connection's own text names another.
    public init(_ connectionInfo: String, applicationName: String) throws(ReplicationError) {
        let settings: [(String, String)] = [
            // Last ones win: what stands in the text overrides what comes before it.
            ("connect_timeout", String(Self.connectTimeoutSeconds)), ("keepalives_idle", "10"),
            ("keepalives_interval", "5"), ("keepalives_count", "3"), ("tcp_user_timeout", "30000"),
            ("dbname", connectionInfo), ("replication", "true"), ("fallback_application_name", applicationName),
        ]
        let keys = settings.map { strdup($0.0) } + [nil]
        let values = settings.map { strdup($0.1) } + [nil]
        defer { for text in keys + values { free(text) } }
        let connection = keys.map { UnsafePointer($0) }.withUnsafeBufferPointer { keys in
            values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                PQconnectdbParams(keys.baseAddress, values.baseAddress, 1)
            }
        }
        guard let connection else { throw ReplicationError(.unavailable, "out of memory") }
        guard PQstatus(connection) == CONNECTION_OK else {
            let message = Self.lastMessage(connection)
            PQfinish(connection)
            throw ReplicationError(Self.isDenial(message) ? .denied : .unavailable, message)
        }
        raw = connection
    }

    deinit { PQfinish(raw) }

    /// libpq keeps no SQLSTATE of a connection that failed.
    private static func isDenial(_ message: String) -> Bool {
        [
            "authentication failed", "no pg_hba.conf entry", "must be superuser or replication role",
            "no password supplied",
            "permission denied to start WAL sender", "is not permitted to log in", "certificate",
        ].contains { message.contains($0) } || (message.contains("role \"") && message.contains("does not exist"))
    }

    /// The server's version: 150004 is 15.4.
    public var serverVersion: Int { Int(PQserverVersion(raw)) }
    /// Where it leads to: `db1:5432`.
    public var address: String {
        let host = PQhost(raw).map { String(cString: $0) } ?? ""
        let port = PQport(raw).map { String(cString: $0) } ?? ""
        return "\(host):\(port)"
    }

    // MARK: - Commands

    public struct System: Sendable {
        public let identifier: UInt64
        public let timeline: TimelineID
        /// How far its WAL is flushed; of a standby, replayed.
        public let flushed: LSN
    }

    public func identifySystem() throws(ReplicationError) -> System {
        let row = try row("IDENTIFY_SYSTEM")
        guard row.count >= 3, let identifier = UInt64(row[0] ?? ""), let timeline = TimelineID(row[1] ?? ""),
            let flushed = LSN(row[2] ?? "")
        else { throw ReplicationError(.garbled, "\(address) answers IDENTIFY_SYSTEM with \(row)") }
        return System(identifier: identifier, timeline: timeline, flushed: flushed)
    }

    /// The text of a setting of the server's.
    public func show(_ name: String) throws(ReplicationError) -> String {
        guard let value = try row("SHOW \(name)").first ?? nil else {
            throw ReplicationError(.garbled, "\(address) says nothing of \(name)")
        }
        return value
    }

    /// In bytes. The server says it with a unit.
    public func walSegmentSize() throws(ReplicationError) -> Int {
        let text = try show("wal_segment_size")
        let units = [("kB", 10), ("MB", 20), ("GB", 30), ("B", 0)]
        for (unit, shift) in units where text.hasSuffix(unit) {
            if let number = Int(text.dropLast(unit.count)), number > 0, number < 1 << 30,
                WALSegment.isValidSize(number << shift)
            {
                return number << shift
            }
        }
        throw ReplicationError(.garbled, "\(address) has WAL segments of \(text)")
    }

    /// The content of a timeline's history file.
    public func history(of timeline: TimelineID) throws(ReplicationError) -> [UInt8] {
        let result = try perform("TIMELINE_HISTORY \(timeline)", expecting: PGRES_TUPLES_OK)
        defer { PQclear(result) }
        guard PQntuples(result) == 1, PQnfields(result) == 2, let value = PQgetvalue(result, 0, 1) else {
            throw ReplicationError(.garbled, "\(address) gives no history of timeline \(timeline)")
        }
        return Array(UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, 0, 1))))
    }

    /// Makes a slot that holds WAL from now on.
    public func createSlot(_ name: String) throws(ReplicationError) {
        PQclear(
            try perform("CREATE_REPLICATION_SLOT \(Self.quoted(name)) PHYSICAL RESERVE_WAL", expecting: PGRES_TUPLES_OK)
        )
    }

    /// Where a slot holds WAL from, and on which timeline; nil where there is no such slot, or it holds none. Servers
    /// before 15 do not tell.
    public func readSlot(_ name: String) throws(ReplicationError) -> (start: LSN, timeline: TimelineID?)? {
        let row = try row("READ_REPLICATION_SLOT \(Self.quoted(name))")
        guard row.count >= 2, let text = row[1] else { return nil }
        guard let start = LSN(text) else {
            throw ReplicationError(.garbled, "\(address) says that a slot begins at \(text)")
        }
        return (start, row.count >= 3 ? row[2].flatMap { TimelineID($0) } : nil)
    }

    /// An identifier as the replication commands take it.
    static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private func row(_ command: String) throws(ReplicationError) -> [String?] {
        let result = try perform(command, expecting: PGRES_TUPLES_OK)
        defer { PQclear(result) }
        guard PQntuples(result) == 1 else {
            throw ReplicationError(.garbled, "\(address) answers \(command) with \(PQntuples(result)) rows")
        }
        return (0..<PQnfields(result)).map { column in
            PQgetisnull(result, 0, column) == 1 ? nil : PQgetvalue(result, 0, column).map { String(cString: $0) }
        }
    }

    func perform(_ command: String, expecting status: ExecStatusType) throws(ReplicationError) -> OpaquePointer? {
        let result = PQexec(raw, command)
        guard PQresultStatus(result) == status else {
            defer { PQclear(result) }
            throw failure(of: result)
        }
        return result
    }

    func failure(of result: OpaquePointer?) -> ReplicationError {
        // The field's number is a character constant in C.
        if let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map({ String(cString: $0) }) {
            let message = PQresultErrorMessage(result).map { Self.oneLine(String(cString: $0)) } ?? ""
            if state.hasPrefix("28") || state == "42501" { return ReplicationError(.denied, message) }
            // Class 57: shutting down, starting up; 53: too many connections.
            let isPassing = state.hasPrefix("57") || state.hasPrefix("53") || state.hasPrefix("08")
            return ReplicationError(isPassing ? .unavailable : .refused(state: state), message)
        }
        return ReplicationError(.unavailable, Self.lastMessage(raw))
    }

    static func lastMessage(_ connection: OpaquePointer) -> String {
        PQerrorMessage(connection).map { oneLine(String(cString: $0)) } ?? "the connection failed"
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " || $0 == "\t" } }.joined(separator: "; ")
    }
}
