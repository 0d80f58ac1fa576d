import Foundation
import Glibc

/// A real storage service on this machine, of `scripts/servers`, which ends with this process.
public struct TestServer: Sendable {
    public let name: String
    /// On the loopback address; the service answers on the first one.
    public let ports: [Int]
    /// What the service's script printed for its clients.
    public let values: [String: String]

    /// `127.0.0.1:PORT`.
    public var authority: String { "127.0.0.1:\(ports[0])" }

    /// Holds the servers' input open for as long as this process lives.
    nonisolated(unsafe) private static var running: [ChildProcess] = []  // guarded by `lock`
    private static let lock = NSLock()

    /// Installs the service where it is not there, and starts it on free ports.
    ///
    /// - Parameter others: Ports of servers that it works with.
    public static func start(_ name: String, ports count: Int, others: [Int] = []) async throws -> TestServer {
        try await ChildProcess.blocking {
            let script = ChildProcess.script("test-servers")
            let installation = try run([script, "install", name])
            guard installation.status == 0 else {
                throw ChildProcess.Failure(description: "install \(name): \(installation.error)")
            }
            var lastError: (any Error)?
            for _ in 0..<3 {  // a port that was free may be taken by the time the server wants it
                do {
                    let ports = try freePorts(count)
                    let numbers = (ports + others).map(String.init)
                    let child = try ChildProcess([script, "start", name] + numbers + ["-"])
                    var values: [String: String] = [:]
                    while true {
                        let line = try child.readLine()
                        if line == "ready" { break }
                        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                        if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
                    }
                    lock.withLock { running.append(child) }
                    return TestServer(name: name, ports: ports, values: values)
                } catch { lastError = error }
            }
            throw lastError ?? ChildProcess.Failure(description: "\(name) does not start")
        }
    }

    /// A port of the loopback address that nobody listens on just now.
    public static func freePort() throws -> Int { try freePorts(1)[0] }

    /// Ports of the loopback address that nobody listens on just now.
    public static func freePorts(_ count: Int) throws -> [Int] {
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            sockets.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
                }
            }
            guard status == 0 else { throw ChildProcess.Failure(description: "no free port: errno \(errno)") }
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }
}
