import CLibpq
import Glibc
public import PostgresFormat

extension ReplicationConnection {
    /// Asks for WAL from `start` on. `receive` gives it from then on.
    public func startReplication(
        slot: String?, from start: LSN, timeline: TimelineID
    ) throws(ReplicationError) {
        let slotText = slot.map { " SLOT \(Self.quoted($0))" } ?? ""
        let command = "START_REPLICATION\(slotText) PHYSICAL \(start) TIMELINE \(timeline)"
        PQclear(try perform(command, expecting: PGRES_COPY_BOTH))
    }

    /// What `receive` has found.
    public enum Received: Sendable, Equatable {
        /// WAL was given to the handler.
        case wal
        /// The server is alive, has flushed as far as this, and may want to know how far we are.
        case keepalive(end: LSN, wantsReply: Bool)
        /// Nothing more has arrived so far.
        case nothing
        /// The server has sent all of this timeline.
        case endOfTimeline
    }

    private static let walMessage = UInt8(ascii: "w")
    private static let keepaliveMessage = UInt8(ascii: "k")
    private static let walHeaderSize = 25
    private static let keepaliveSize = 18

    /// The next message that has arrived, without waiting for one.
    ///
    /// - Parameter onWAL: Called with the bytes and where they begin, and the server's own end of WAL. The bytes are
    ///   gone after it returns.
    public func receive<Failure: Error>(
        _ onWAL: (UnsafeRawBufferPointer, LSN, LSN) throws(Failure) -> Void
    ) throws -> Received {
        var buffer: UnsafeMutablePointer<CChar>?
        var count = PQgetCopyData(raw, &buffer, 1)
        if count == 0 {
            guard PQconsumeInput(raw) == 1 else { throw ReplicationError(.unavailable, lastMessage(raw)) }
            count = PQgetCopyData(raw, &buffer, 1)
        }
        defer { PQfreemem(buffer) }
        switch count {
        case 0: return .nothing
        case -1: return .endOfTimeline
        case let count where count < 0: throw ReplicationError(.unavailable, lastMessage(raw))
        default: break
        }
        let bytes = UnsafeRawBufferPointer(start: buffer, count: Int(count))
        func position(_ offset: Int) -> LSN {
            LSN(rawValue: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
        }
        switch bytes[0] {
        case Self.walMessage where bytes.count >= Self.walHeaderSize:
            try onWAL(UnsafeRawBufferPointer(rebasing: bytes[Self.walHeaderSize...]), position(1), position(9))
            return .wal
        case Self.keepaliveMessage where bytes.count >= Self.keepaliveSize:
            return .keepalive(end: position(1), wantsReply: bytes[Self.keepaliveSize - 1] != 0)
        default:
            throw ReplicationError(.garbled, "\(address) sent a message of type \(bytes[0]) with \(bytes.count) bytes")
        }
    }

    /// Waits until something has arrived, `wakeup` can be read, or the time is over.
    ///
    /// - Parameter wakeup: A file that another thread makes readable to end the waiting.
    /// - Returns: Whether something has arrived.
    @discardableResult
    public func wait(milliseconds: Int, wakeup: Int32) throws(ReplicationError) -> Bool {
        var files = [
            pollfd(fd: PQsocket(raw), events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&files, 2, Int32(clamping: milliseconds)) >= 0 || errno == EINTR else {
            throw ReplicationError(.unavailable, "poll: \(String(cString: strerror(errno)))")
        }
        return files[0].revents != 0
    }

    /// Microseconds from 1970 to 2000, where PostgreSQL's time begins.
    private static let postgresEpoch = 946_684_800_000_000

    /// Tells the server how far we are. `apply` is never told: nothing is applied here.
    ///
    /// - Parameter wantsReply: Whether the server is to say at once how far it is.
    public func sendStatus(written: LSN, flushed: LSN, wantsReply: Bool = false) throws(ReplicationError) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let time = now.tv_sec * 1_000_000 + now.tv_nsec / 1000 - Self.postgresEpoch
        let (result, flush) = withUnsafeTemporaryAllocation(byteCount: 34, alignment: 8) { message in
            func store(_ value: UInt64, at offset: Int) {
                message.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
            }
            message[0] = UInt8(ascii: "r")
            store(written.rawValue, at: 1)
            store(flushed.rawValue, at: 9)
            store(LSN.invalid.rawValue, at: 17)
            store(UInt64(bitPattern: Int64(time)), at: 25)
            message[33] = wantsReply ? 1 : 0
            let bytes = message.bindMemory(to: CChar.self)
            return (PQputCopyData(raw, bytes.baseAddress, 34), PQflush(raw))
        }
        guard result == 1, flush == 0 else { throw ReplicationError(.unavailable, lastMessage(raw)) }
    }

    /// Ends the copying after `.endOfTimeline`. What ended it, where that was an error, is thrown.
    ///
    /// - Returns: The timeline that follows, and where it begins; nil when the server just ends, as when it shuts down.
    public func nextTimeline() throws(ReplicationError) -> (timeline: TimelineID, start: LSN)? {
        var next: (TimelineID, LSN)?
        while let result = PQgetResult(raw) {
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK:
                guard PQntuples(result) == 1, PQnfields(result) == 2, let timeline = PQgetvalue(result, 0, 0),
                    let start = PQgetvalue(result, 0, 1), let number = TimelineID(String(cString: timeline)),
                    let lsn = LSN(String(cString: start))
                else { throw ReplicationError(.garbled, "\(address) does not say which timeline follows") }
                next = (number, lsn)
            case PGRES_COPY_IN:
                // The server's half has ended in order. An error would have ended both.
                guard PQputCopyEnd(raw, nil) == 1, PQflush(raw) == 0 else {
                    throw ReplicationError(.unavailable, lastMessage(raw))
                }
            case PGRES_COMMAND_OK, PGRES_COPY_BOTH, PGRES_COPY_OUT: continue
            default: throw failure(of: result, on: raw)
            }
        }
        return next
    }
}
