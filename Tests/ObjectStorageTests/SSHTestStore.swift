import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// The two servers, by name: a test's arguments.
enum SSHTestService: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sshd, rclone
    var testDescription: String { rawValue }
    var server: SSHTestServer {
        get async throws {
            switch self {
            case .sshd: try await SSHTestServer.sshd
            case .rclone: try await SSHTestServer.rclone
            }
        }
    }
}

extension SSHTestServer {
    /// What lets in: the password where there is one, else a key.
    var method: SSHCredentials.Method {
        if let password { return .init(proof: .password(Secret(password)), source: "SSH_PASSWORD") }
        return key("id_ed25519")
    }

    func key(_ name: String, passphrase: String? = nil) -> SSHCredentials.Method {
        .init(proof: .key(path: file(name), passphrase: passphrase.map { Secret($0) }), source: "SSH_PRIVATE_KEY_PATH")
    }

    /// A store on this server, by way of a proxy where its port is given: quick to repeat.
    func store(
        prefix: String, port: Int? = nil, methods: [SSHCredentials.Method]? = nil, user: String? = nil,
        _ adjust: (inout SSHOptions) -> Void = { _ in }
    ) -> SSHObjectStore {
        var options = SSHOptions(host: "127.0.0.1", port: port ?? self.port, hostKeyCheck: .none)
        options.partSizeBytes = 1 << 20
        options.retries.minimumDelay = .milliseconds(10)
        options.retries.maximumRetries = 4
        adjust(&options)
        let credentials = SSHCredentials(user: user ?? self.user, methods: methods ?? [method])
        return SSHObjectStore(
            location: StorageLocation(
                scheme: .ssh, container: options.host, path: "\(root)/\(prefix)", user: nil, port: options.port),
            options: options
        ) { credentials }
    }

    /// What lies below a prefix on the server's disk, temporary files too.
    func files(_ prefix: String) -> [String] {
        let path = "\(directory)/data/\(prefix)"
        let found = FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []
        return found.sorted()
    }

    /// The names of temporary files that are left, after a while for the server to notice that its clients are gone.
    func leftovers(_ prefix: String) async throws -> [String] {
        var left: [String] = []
        for _ in 0..<600 {
            left = files(prefix).filter { $0.contains(FileKey.temporaryPrefix) }
            if left.isEmpty { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        return left
    }
}
