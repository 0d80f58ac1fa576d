/// A real SFTP server on this machine, started once for all tests of a process.
public struct SSHTestServer: Sendable {
    public let authority: String
    public let port: Int
    /// Where OpenSSH does without its extensions to the protocol; nil for another server.
    public let plainPort: Int?
    public let user: String
    /// Nil where the server takes keys only.
    public let password: String?
    /// The server's folder on this machine: keys, known hosts, the agent's socket.
    public let directory: String
    /// The storage's folder, as the server's clients see it.
    public let root: String
    /// What encrypts the key `id_encrypted`.
    public let passphrase: String
    /// A folder on a file system of 2 MiB; nil where this machine lets none be made.
    public let small: String?

    public func file(_ name: String) -> String { "\(directory)/\(name)" }

    /// OpenSSH.
    public static var sshd: SSHTestServer { get async throws { try await startedSSHD.value } }
    /// rclone's server.
    public static var rclone: SSHTestServer { get async throws { try await startedRclone.value } }

    private static let startedSSHD = Task { SSHTestServer(try await TestServer.start("sshd", ports: 2), root: nil) }
    private static let startedRclone = Task {
        SSHTestServer(try await TestServer.start("rclonesftp", ports: 1), root: "")
    }

    private init(_ server: TestServer, root: String?) {
        authority = server.authority
        port = server.ports[0]
        plainPort = server.ports.count > 1 ? server.ports[1] : nil
        user = server.values["user"] ?? ""
        password = server.values["password"]
        directory = server.values["dir"] ?? ""
        self.root = root ?? "\(directory)/data"
        passphrase = server.values["passphrase"] ?? ""
        small = server.values["small"]
    }
}
