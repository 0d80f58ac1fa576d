import Foundation
import Glibc

/// A TCP client that sends what it is told, and blocks.
public final class PlainClient: Sendable {
    private let file: Int32

    /// - Parameter port: Of the loopback address.
    public init(port: Int) throws {
        file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(file)
            throw ChildProcess.Failure(description: "connecting to port \(port): \(String(cString: strerror(code)))")
        }
    }

    deinit { close(file) }

    /// - Returns: Whether the other side has taken all of it.
    @discardableResult
    public func send(_ bytes: some Collection<UInt8>) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(file, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    @discardableResult
    public func send(_ text: String) -> Bool { send(text.utf8) }

    /// All that comes until the other side ends the connection, one way or another.
    ///
    /// - Throws: When it says nothing for a minute.
    public func readToEnd() throws -> [UInt8] {
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(file, &piece, piece.count, 0)
            if count > 0 { all += piece[..<count] }
            if count < 0, errno == EAGAIN { throw ChildProcess.Failure(description: "the connection stays open") }
            if count <= 0 { return all }
        }
    }
}

/// What a server has answered.
public struct PlainResponse: Sendable {
    public let status: Int
    /// Names in small letters.
    public let headers: [String: String]
    public let body: String

    /// One request over a connection of its own.
    public static func get(
        _ path: String, port: Int, method: String = "GET"
    ) throws -> PlainResponse {
        let client = try PlainClient(port: port)
        client.send("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        client.end()
        return try PlainResponse(try client.readToEnd())
    }

    public init(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else {
            throw ChildProcess.Failure(description: "no response: \(text)")
        }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw ChildProcess.Failure(description: "no status: \(lines[0])")
        }
        self.status = status
        headers = Dictionary(
            lines.dropFirst().map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
            }, uniquingKeysWith: { first, _ in first })
        body = String(text[end.upperBound...])
        if let length = headers["content-length"].flatMap({ Int($0) }), !body.isEmpty, length != body.utf8.count {
            throw ChildProcess.Failure(description: "\(length) bytes promised, \(body.utf8.count) sent")
        }
    }
}

extension PlainClient {
    /// Says no more, and still listens.
    public func end() { shutdown(file, Int32(SHUT_WR)) }
}
