import CLibpq
import Glibc

/// How long a connection may take to come up, for each address that the host has.
private let connectTimeoutSeconds = 15

/// How long a server may take to answer: what is asked is all quick.
private let patience = Duration.seconds(20)

/// Connects. Of a parameter that is given twice, the last one counts; the first `dbname` may be a connection string.
func connect(_ parameters: [(String, String)]) throws(ReplicationError) -> OpaquePointer {
    let all =
        [
            ("connect_timeout", String(connectTimeoutSeconds)), ("keepalives_idle", "10"),
            ("keepalives_interval", "5"), ("keepalives_count", "3"), ("tcp_user_timeout", "30000"),
        ] + parameters
    let keys = all.map { strdup($0.0) } + [nil]
    let values = all.map { strdup($0.1) } + [nil]
    defer { for text in keys + values { free(text) } }
    let connection = keys.map { UnsafePointer($0) }.withUnsafeBufferPointer { keys in
        values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
            PQconnectdbParams(keys.baseAddress, values.baseAddress, 1)
        }
    }
    guard let connection else { throw ReplicationError(.unavailable, "out of memory") }
    guard PQstatus(connection) == CONNECTION_OK else {
        let message = lastMessage(connection)
        PQfinish(connection)
        throw ReplicationError(isDenial(message) ? .denied : .unavailable, message)
    }
    return connection
}

/// libpq keeps no SQLSTATE of a connection that failed.
private func isDenial(_ message: String) -> Bool {
    [
        "authentication failed", "no pg_hba.conf entry", "must be superuser or replication role",
        "no password supplied", "permission denied", "is not permitted to log in", "certificate",
    ].contains { message.contains($0) } || (message.contains("role \"") && message.contains("does not exist"))
}

func perform(
    _ command: String, on connection: OpaquePointer, expecting status: ExecStatusType
) throws(ReplicationError) -> OpaquePointer? {
    // Not `PQexec`, which waits for ever for a server that is there and says nothing.
    guard PQsendQuery(connection, command) == 1 else {
        throw ReplicationError(.unavailable, lastMessage(connection))
    }
    let deadline = ContinuousClock.now + patience
    var result: OpaquePointer?
    repeat {
        do { try awaitResult(connection, until: deadline) } catch {
            PQclear(result)
            throw error
        }
        guard let next = PQgetResult(connection) else { break }
        PQclear(result)
        result = next
    } while PQresultStatus(result) != PGRES_COPY_BOTH
    guard PQresultStatus(result) == status else {
        defer { PQclear(result) }
        throw failure(of: result, on: connection)
    }
    return result
}

private func awaitResult(_ connection: OpaquePointer, until deadline: ContinuousClock.Instant) throws(ReplicationError)
{
    while PQisBusy(connection) == 1 {
        let left = deadline - .now
        guard left > .zero else {
            throw ReplicationError(.unavailable, "no answer came within \(patience.components.seconds) s")
        }
        var file = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        guard poll(&file, 1, Int32(left / .milliseconds(1)) + 1) >= 0 || errno == EINTR else {
            throw ReplicationError(.unavailable, "poll: \(String(cString: strerror(errno)))")
        }
        guard PQconsumeInput(connection) == 1 else { throw ReplicationError(.unavailable, lastMessage(connection)) }
    }
}

/// The rows of a result; nil for NULL.
func texts(of result: OpaquePointer?) -> [[String?]] {
    (0..<PQntuples(result)).map { row in
        (0..<PQnfields(result)).map { column in
            PQgetisnull(result, row, column) == 1
                ? nil : PQgetvalue(result, row, column).map { String(cString: $0) }
        }
    }
}

func failure(of result: OpaquePointer?, on connection: OpaquePointer) -> ReplicationError {
    // The field's number is a character constant in C.
    if let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map({ String(cString: $0) }) {
        let message = PQresultErrorMessage(result).map { oneLine(String(cString: $0)) } ?? ""
        if state.hasPrefix("28") || state == "42501" { return ReplicationError(.denied, message) }
        // Class 57: shutting down, starting up; 53: too many connections.
        let isPassing = state.hasPrefix("57") || state.hasPrefix("53") || state.hasPrefix("08")
        return ReplicationError(isPassing ? .unavailable : .refused(state: state), message)
    }
    return ReplicationError(.unavailable, lastMessage(connection))
}

func lastMessage(_ connection: OpaquePointer) -> String {
    PQerrorMessage(connection).map { oneLine(String(cString: $0)) } ?? "the connection failed"
}

private func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " || $0 == "\t" } }.joined(separator: "; ")
}
