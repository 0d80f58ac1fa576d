import Foundation
import Glibc

/// A real S3 service on this machine, started once for all tests of a process, and stopped with it.
public struct S3TestServer: Sendable {
    public let name: String
    /// `127.0.0.1:PORT`; plain HTTP.
    public let authority: String
    public let accessKeyID: String
    public let secretAccessKey: String
    public let region = "us-east-1"
    /// A bucket that is there, for all tests: each takes a prefix of its own.
    public let bucket = "zenith-test"

    public var endpoint: String { "http://\(authority)" }

    /// What a program that talks to it needs in its environment.
    public var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": accessKeyID,
            "AWS_SECRET_ACCESS_KEY": secretAccessKey, "AWS_REGION": region,
        ]
    }

    /// SeaweedFS: honours every conditional write.
    public static var seaweed: S3TestServer {
        get async throws { try await startedSeaweed.value }
    }

    /// OpenStack Swift's S3: the strictest about signatures, and about bodies that do not match them.
    public static var swift: S3TestServer {
        get async throws { try await startedSwift.value }
    }

    private static let startedSeaweed = Task { try await start("seaweed", ports: 8, key: "zenithkey") }
    private static let startedSwift = Task { try await start("swift", ports: 5, key: "zenith:zenithkey") }
    /// Holds the servers' input open for as long as this process lives.
    nonisolated(unsafe) private static var running: [ChildProcess] = []  // guarded by `lock`
    private static let lock = NSLock()

    private static func start(_ name: String, ports count: Int, key: String) async throws -> S3TestServer {
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
                    let child = try ChildProcess([script, "start", name] + ports.map(String.init) + ["-"])
                    while try child.readLine() != "ready" {}
                    lock.withLock { running.append(child) }
                    return S3TestServer(
                        name: name, authority: "127.0.0.1:\(ports[0])", accessKeyID: key,
                        secretAccessKey: "zenithsecret")
                } catch { lastError = error }
            }
            throw lastError ?? ChildProcess.Failure(description: "\(name) does not start")
        }
    }

    /// A port of the loopback address that nobody listens on just now.
    public static func freePort() throws -> Int { try freePorts(1)[0] }

    /// Ports of the loopback address that nobody listens on just now.
    static func freePorts(_ count: Int) throws -> [Int] {
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
