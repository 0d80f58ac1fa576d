import NIOCore
import PostgresFormat

/// A standby status update: how far the consumer is. A position that it does not have is nil (pg_receivewal replays
/// nothing).
struct StandbyStatus: Hashable {
    let writtenLSN: LSN?
    let flushedLSN: LSN?
    let appliedLSN: LSN?
    let requestsReply: Bool

    /// What a CopyData message of a consumer says; nil for hot-standby feedback, which nothing here needs.
    static func parse(_ message: ByteBuffer) throws(ServerError) -> StandbyStatus? {
        var message = message
        guard let type = message.readInteger(as: UInt8.self) else { throw .violation("empty standby message") }
        switch type {
        case UInt8(ascii: "h"):
            // The time, two transaction ids with their epochs; before PostgreSQL 10 one of them.
            guard message.readableBytes >= 16 else { throw .violation("hot standby feedback is cut short") }
            return nil
        case UInt8(ascii: "r"):
            guard let written = message.readInteger(as: UInt64.self),
                let flushed = message.readInteger(as: UInt64.self),
                let applied = message.readInteger(as: UInt64.self),
                message.readInteger(as: Int64.self) != nil, let reply = message.readInteger(as: UInt8.self)
            else { throw .violation("standby status update is cut short") }
            func position(_ value: UInt64) -> LSN? { value == 0 ? nil : LSN(rawValue: value) }
            return StandbyStatus(
                writtenLSN: position(written), flushedLSN: position(flushed), appliedLSN: position(applied),
                requestsReply: reply != 0)
        default: throw .violation("unexpected message type \"\(printable(String(UnicodeScalar(type))))\"")
        }
    }
}
