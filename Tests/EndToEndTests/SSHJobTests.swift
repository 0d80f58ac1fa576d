import Foundation
import TestSupport
import Testing

@Suite("the main job over SFTP", .serialized)
struct SSHJobTests {
    /// What a WAL-G user sets, and the host's key.
    private func environment(_ server: SSHTestServer, _ name: String) -> [String: String?] {
        [
            "WALG_SSH_PREFIX": "ssh://127.0.0.1\(server.root)/\(name)", "SSH_PORT": String(server.port),
            "SSH_USERNAME": server.user, "SSH_PRIVATE_KEY_PATH": server.file("id_ed25519"),
            "SSH_KNOWN_HOSTS_PATH": server.file("known_hosts"),
        ]
    }

    @Test("OpenSSH, with a WAL-G user's environment")
    func job() async throws {
        let server = try await SSHTestServer.sshd
        let work = try Workplace(environment: environment(server, "e2e-\(UUID().uuidString)"))
        let checked = try work.zenith("config", "check", "--storage-dest", "SSH_PREFIX")
        #expect(checked.status == 0, "\(checked.output)\(checked.error)")
        #expect(checked.output.contains("SSH_PRIVATE_KEY_PATH (user \(server.user), key "), "\(checked.output)")
        try work.succeed(
            "init", "--storage-dest", "SSH_PREFIX", "--snapshot-path", try SourceCluster.get().path,
            "--snapshot-format", "pgdata")
        try work.succeed("start")
        let name = try work.succeed("snapshot", "create")
        try work.succeed("stop")
        try FileManager.default.removeItem(atPath: work.directory + "/timelines")
        try work.succeed("start")
        try expectEqualCluster(try work.export(to: "restored"))
        #expect(try work.succeed("snapshot", "verify", name).contains("is sound"))
        try work.succeed("stop")
    }

    @Test("a host that is not known is refused, with what to do")
    func unknownHost() async throws {
        let server = try await SSHTestServer.sshd
        var environment = environment(server, "unknown")
        environment["SSH_KNOWN_HOSTS_PATH"] = "/nowhere"
        let work = try Workplace(environment: environment)
        let checked = try work.zenith("config", "check", "--storage-dest", "SSH_PREFIX")
        #expect(checked.status != 0)
        #expect(
            (checked.output + checked.error).contains("ssh-keyscan -p \(server.port) 127.0.0.1"), "\(checked.output)")
    }
}
