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
        raw = try connect([
            ("dbname", connectionInfo), ("replication", "true"), ("fallback_application_name", applicationName),
        ])
    }

    deinit { PQfinish(raw) }

    /// The server's version: 150004 is 15.4.
    public var serverVersion: Int { Int(PQserverVersion(raw)) }
    /// Where it leads to: `db1:5432`.
    public var address: String {
        let host = PQhost(raw).map { String(cString: $0) } ?? ""
        let port = PQport(raw).map { String(cString: $0) } ?? ""
        return "\(host):\(port)"
    }
    /// Whether TLS protects it.
    public var isEncrypted: Bool { PQsslInUse(raw) == 1 }
    /// Whether it leads over a network: not by a Unix socket, and not to this machine's loopback.
    public var isRemote: Bool {
        let address = PQhostaddr(raw).map { String(cString: $0) } ?? ""
        return !address.isEmpty && !address.hasPrefix("127.") && address != "::1"
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
        let rows = texts(of: result)
        guard rows.count == 1 else {
            throw ReplicationError(.garbled, "\(address) answers \(command) with \(rows.count) rows")
        }
        return rows[0]
    }

    func perform(_ command: String, expecting status: ExecStatusType) throws(ReplicationError) -> OpaquePointer? {
        try ReplicationClient.perform(command, on: raw, expecting: status)
    }
}
