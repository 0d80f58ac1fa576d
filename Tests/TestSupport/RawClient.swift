import Glibc

/// A client that sends bytes and looks at what comes back. Blocks, so it lives on threads of its own (`blocking`).
public final class RawClient {
    public struct Message: Sendable, Equatable, CustomStringConvertible {
        public let type: Unicode.Scalar
        public let body: [UInt8]

        public init(type: Unicode.Scalar, body: [UInt8]) { (self.type, self.body) = (type, body) }

        /// The fields of an ErrorResponse, or the strings of another message.
        public var strings: [String] { body.split(separator: 0).map { String(decoding: $0, as: UTF8.self) } }
        /// An ErrorResponse's `field`.
        public func field(_ name: Character) -> String? {
            type == "E" ? strings.first { $0.first == name }.map { String($0.dropFirst()) } : nil
        }
        public var description: String { "\(type) \(strings)" }
    }

    public struct Closed: Error {}
    public struct Timeout: Error {}

    private let descriptor: Int32
    private var received: [UInt8] = []
    private var offset = 0

    public init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var limit = timeval(tv_sec: 240, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw PostgresTestError("connect: errno \(errno)") }
    }

    deinit { close(descriptor) }

    public func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Closed() }
            sent += count
        }
    }

    /// Says no more, and still listens.
    public func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    private func fill(_ count: Int) throws {
        while received.count - offset < count {
            if offset > 1 << 20 {
                received.removeFirst(offset)
                offset = 0
            }
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let got = recv(descriptor, &chunk, chunk.count, 0)
            if got < 0, errno == EAGAIN { throw Timeout() }
            guard got > 0 else { throw Closed() }
            received += chunk[..<got]
        }
    }

    /// The next bytes, whatever they are.
    public func read(_ count: Int) throws -> [UInt8] {
        try fill(count)
        defer { offset += count }
        return Array(received[offset..<(offset + count)])
    }

    public func message() throws -> Message {
        let header = try read(5)
        let length = header[1...].reduce(0) { $0 << 8 | Int($1) }
        return Message(type: Unicode.Scalar(header[0]), body: try read(length - 4))
    }

    /// All messages until the server waits for a command, or has closed the connection.
    public func answer() throws -> [Message] {
        var messages: [Message] = []
        while true {
            do { messages.append(try message()) } catch is Closed { return messages }
            if messages.last?.type == "Z" { return messages }
        }
    }

    // MARK: What clients say

    public static func startup(_ parameters: [(String, String)], minor: UInt16 = 0) -> [UInt8] {
        var body = integer(UInt32(3) << 16 | UInt32(minor))
        for (name, value) in parameters { body += Array(name.utf8) + [0] + Array(value.utf8) + [0] }
        body.append(0)
        return integer(UInt32(body.count + 4)) + body
    }

    public static let ordinaryStartup = startup([
        ("user", "standby"), ("replication", "true"), ("application_name", "raw"),
    ])

    public static func message(_ type: Unicode.Scalar, _ body: [UInt8] = []) -> [UInt8] {
        [UInt8(ascii: type)] + integer(UInt32(body.count + 4)) + body
    }

    public static func query(_ text: String) -> [UInt8] { message("Q", Array(text.utf8) + [0]) }

    public static func status(_ lsn: UInt64, flushed: UInt64? = nil, asks: Bool = false) -> [UInt8] {
        let positions = integer(lsn) + integer(flushed ?? lsn) + integer(UInt64(0)) + integer(UInt64(0))
        return message("d", [UInt8(ascii: "r")] + positions + [asks ? 1 : 0])
    }

    public static func integer<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    /// Connects and starts up, to where commands can be given.
    public static func ready(port: Int, receiveBuffer: Int32? = nil) throws -> RawClient {
        let client = try RawClient(port: port, receiveBuffer: receiveBuffer)
        try client.send(ordinaryStartup)
        let answer = try client.answer()
        guard answer.last?.type == "Z" else { throw PostgresTestError("no start: \(answer)") }
        return client
    }

    public func ask(_ command: String) throws -> [Message] {
        try send(Self.query(command))
        return try answer()
    }

    /// Takes WAL of a copy until `end`. Returns it, and the messages that were no WAL.
    public func copy(from start: UInt64, to end: UInt64) throws -> [UInt8] {
        var wal: [UInt8] = []
        while start + UInt64(wal.count) < end {
            let message = try message()
            guard message.type == "d", let kind = message.body.first else {
                throw PostgresTestError("unexpected message: \(message)")
            }
            if kind == UInt8(ascii: "k") { continue }
            let position = message.body[1..<9].reduce(0) { $0 << 8 | UInt64($1) }
            guard position == start + UInt64(wal.count) else { throw PostgresTestError("a gap at \(position)") }
            wal += message.body[25...]
        }
        return wal
    }
}
