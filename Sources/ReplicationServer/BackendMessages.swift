import Glibc
import NIOCore
import PostgresFormat

/// One column of a result set.
struct ResultColumn {
    let name: String
    /// `pg_type.oid`.
    let type: UInt32
    /// In bytes; -1 for a type of any length.
    let size: Int16

    static func text(_ name: String) -> ResultColumn { ResultColumn(name: name, type: 25, size: -1) }
    static func int8(_ name: String) -> ResultColumn { ResultColumn(name: name, type: 20, size: 8) }
    static func bytea(_ name: String) -> ResultColumn { ResultColumn(name: name, type: 17, size: -1) }
}

/// The server's messages, PostgreSQL's documentation, "Message Formats".
extension ByteBuffer {
    /// Writes a message: its type, its length, and what `body` writes.
    private mutating func writeMessage(_ type: Unicode.Scalar, _ body: (inout ByteBuffer) -> Void = { _ in }) {
        writeInteger(UInt8(ascii: type))
        let start = writerIndex
        writeInteger(UInt32(0))
        body(&self)
        setInteger(UInt32(writerIndex - start), at: start)
    }

    /// A string without a zero inside, and the zero that ends it.
    private mutating func writeText(_ text: String) {
        writeBytes(text.utf8.lazy.filter { $0 != 0 })
        writeInteger(UInt8(0))
    }

    mutating func writeAuthenticationOk() { writeMessage("R") { $0.writeInteger(UInt32(0)) } }

    mutating func writeAuthenticationSASL(mechanisms: [String]) {
        writeMessage("R") { message in
            message.writeInteger(UInt32(10))
            for mechanism in mechanisms { message.writeText(mechanism) }
            message.writeInteger(UInt8(0))
        }
    }

    mutating func writeAuthenticationSASLContinue(_ data: [UInt8]) {
        writeMessage("R") {
            $0.writeInteger(UInt32(11))
            $0.writeBytes(data)
        }
    }

    mutating func writeAuthenticationSASLFinal(_ data: [UInt8]) {
        writeMessage("R") {
            $0.writeInteger(UInt32(12))
            $0.writeBytes(data)
        }
    }

    /// Version 3.0 it is, and none of the extensions.
    mutating func writeNegotiateProtocolVersion(unknown extensions: [String]) {
        writeMessage("v") { message in
            message.writeInteger(UInt32(StartupPacket.majorVersion) << 16)
            message.writeInteger(UInt32(extensions.count))
            for name in extensions { message.writeText(name) }
        }
    }

    mutating func writeParameterStatus(_ name: String, _ value: String) {
        writeMessage("S") {
            $0.writeText(name)
            $0.writeText(value)
        }
    }

    mutating func writeBackendKeyData(process: Int32, secret: UInt32) {
        writeMessage("K") {
            $0.writeInteger(process)
            $0.writeInteger(secret)
        }
    }

    mutating func writeReadyForQuery() { writeMessage("Z") { $0.writeInteger(UInt8(ascii: "I")) } }

    mutating func writeEmptyQueryResponse() { writeMessage("I") }

    mutating func writeCommandComplete(_ tag: String) { writeMessage("C") { $0.writeText(tag) } }

    mutating func writeError(_ error: ServerError) {
        writeMessage("E") { message in
            func field(_ type: Unicode.Scalar, _ text: String) {
                message.writeInteger(UInt8(ascii: type))
                message.writeText(text)
            }
            field("S", error.severity.rawValue)
            field("V", error.severity.rawValue)
            field("C", error.code)
            field("M", error.message)
            if let detail = error.detail { field("D", detail) }
            if let hint = error.hint { field("H", hint) }
            message.writeInteger(UInt8(0))
        }
    }

    /// A result of one row, all in text form, and the end of the command.
    mutating func writeResult(_ columns: [ResultColumn], _ row: [[UInt8]?], tag: String) {
        writeMessage("T") { message in
            message.writeInteger(Int16(columns.count))
            for column in columns {
                message.writeText(column.name)
                message.writeInteger(UInt32(0))  // of no table
                message.writeInteger(UInt16(0))
                message.writeInteger(column.type)
                message.writeInteger(column.size)
                message.writeInteger(Int32(-1))
                message.writeInteger(UInt16(0))  // as text
            }
        }
        writeMessage("D") { message in
            message.writeInteger(Int16(row.count))
            for value in row {
                guard let value else {
                    message.writeInteger(Int32(-1))
                    continue
                }
                message.writeInteger(Int32(value.count))
                message.writeBytes(value)
            }
        }
        writeCommandComplete(tag)
    }

    /// Copying in both directions, in bytes, without columns.
    mutating func writeCopyBothResponse() {
        writeMessage("W") {
            $0.writeInteger(UInt8(0))
            $0.writeInteger(UInt16(0))
        }
    }

    mutating func writeCopyDone() { writeMessage("c") }

    mutating func writeKeepalive(sentLSN: LSN, requestsReply: Bool) {
        writeMessage("d") {
            $0.writeInteger(UInt8(ascii: "k"))
            $0.writeInteger(sentLSN.rawValue)
            $0.writeInteger(postgresNow())
            $0.writeInteger(UInt8(requestsReply ? 1 : 0))
        }
    }

    /// The bytes before the WAL of an XLogData message: the message's own five and the 25 of its header.
    static let walHeaderSize = 30

    /// Writes what precedes `count` bytes of WAL from `lsn` on.
    mutating func writeWALHeader(from lsn: LSN, count: Int, endLSN: LSN) {
        writeInteger(UInt8(ascii: "d"))
        writeInteger(UInt32(4 + 25 + count))
        writeInteger(UInt8(ascii: "w"))
        writeInteger(lsn.rawValue)
        writeInteger(endLSN.rawValue)
        writeInteger(postgresNow())
    }
}

/// Microseconds since 2000, PostgreSQL's `TimestampTz`.
func postgresNow() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return (Int64(now.tv_sec) - 946_684_800) * 1_000_000 + Int64(now.tv_nsec) / 1000
}
