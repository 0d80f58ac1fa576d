import Foundation
import TestSupport
import Testing

@testable import StorageURI

@Suite("settings and credentials of ssh")
struct SSHSettingsTests {
    /// A home directory with keys in it, removed with the value.
    private final class Home {
        let path = NSTemporaryDirectory() + "zenith-home-\(UUID().uuidString)"

        init(_ names: String...) throws {
            try FileManager.default.createDirectory(atPath: "\(path)/.ssh", withIntermediateDirectories: true)
            for name in names {
                let text = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
                try text.write(toFile: "\(path)/.ssh/\(name)", atomically: true, encoding: .utf8)
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func settings(_ variables: [String: String], role: StorageRole? = nil) throws -> SSHSettings {
        try SSHSettings(environment: RoleEnvironment(variables, role: role))
    }

    private func faults(_ variables: [String: String], role: StorageRole? = nil) -> [String] {
        do throws(SettingsError) {
            _ = try SSHSettings(environment: RoleEnvironment(variables, role: role))
            return []
        } catch { return error.faults.map(\.description) }
    }

    private func find(
        _ variables: [String: String], role: StorageRole? = nil, user: String? = nil, localUser: String? = "local"
    ) throws -> String {
        try SSHCredentialChain.find(
            user: user, environment: RoleEnvironment(variables, role: role), localUser: localUser
        ).summary
    }

    private func failure(_ variables: [String: String], role: StorageRole? = nil) -> String {
        do { return "found \(try find(variables, role: role))" } catch { return "\(error)" }
    }

    // MARK: - Settings

    @Test("defaults")
    func defaults() throws {
        let found = try settings(["HOME": "/home/me"])
        #expect(found.port == nil && found.maximumConnections == 8 && found.partSizeBytes == 8 << 20)
        #expect(
            found.hostKeyCheck
                == .knownHosts(files: ["/home/me/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"], addsNew: false))
    }

    @Test("values are read, each role's own first")
    func values() throws {
        let variables = [
            "SSH_PORT": "2022", "WALG_SSH_PORT": "1", "STORAGE_SSH_PORT": "2222", "SSH_KNOWN_HOSTS_PATH": "~/hosts",
            "HOME": "/h", "SSH_HOST_KEY_CHECK": "accept-new", "SSH_MAX_CONNECTIONS": "3", "SSH_PART_SIZE": "4MiB",
            "SSH_MAX_RETRIES": "2", "SSH_CONNECT_TIMEOUT": "5", "SSH_STALL_TIMEOUT": "2min", "UPLOAD_CONCURRENCY": "2",
        ]
        let found = try settings(variables)
        #expect(found.port == 2022 && found.maximumConnections == 3 && found.partSizeBytes == 4 << 20)
        #expect(found.maximumRetries == 2 && found.connectTimeout == .seconds(5) && found.stallTimeout == .seconds(120))
        #expect(found.common.uploadConcurrency == 2)
        #expect(found.hostKeyCheck == .knownHosts(files: ["/h/hosts"], addsNew: true))
        #expect(try settings(variables, role: .storage).port == 2222)
        #expect(try settings(["SSH_HOST_KEY_CHECK": "none"]).hostKeyCheck == .none)
    }

    @Test("a fingerprint as ssh-keygen and pgBackRest show it")
    func fingerprints() throws {
        let bytes = [UInt8]((0..<32).map { UInt8($0) })
        let texts = [
            "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F",
        ]
        for text in texts {
            #expect(try settings(["SSH_HOST_KEY_FINGERPRINT": text]).hostKeyCheck == .fingerprint(bytes))
        }
    }

    @Test(
        "all that is wrong is said at once",
        arguments: [
            (["SSH_PORT": "0", "SSH_MAX_RETRIES": "x"], ["SSH_PORT: is 0", "SSH_MAX_RETRIES: is not a whole number"]),
            (["SSH_HOST_KEY_CHECK": "yes"], ["strict, accept-new, fingerprint or none"]),
            (["SSH_HOST_KEY_CHECK": "fingerprint"], ["SSH_HOST_KEY_FINGERPRINT: is not set"]),
            (["SSH_HOST_KEY_FINGERPRINT": "MD5:aa"], ["SSH_HOST_KEY_FINGERPRINT: is not the SHA-256 of a key"]),
            (
                ["SSH_HOST_KEY_CHECK": "none", "SSH_HOST_KEY_FINGERPRINT": String(repeating: "ab", count: 32)],
                ["is set, but SSH_HOST_KEY_CHECK is “none”"]
            ),
        ])
    func wrong(variables: [String: String], expected: [String]) {
        let found = faults(variables)
        #expect(found.count == expected.count)
        for text in expected { #expect(found.contains { $0.contains(text) }, "\(found)") }
    }

    @Test("what decides where data goes is shown")
    func inspection() throws {
        let environment = RoleEnvironment(
            ["SSH_PORT": "2022", "SSH_PASSWORD": "hunter2", "HOME": "/h", "SSH_USERNAME": "me"], role: .storage)
        let location = try parse("ssh://backup.example/srv/x")
        let found = try SSHSettings.inspect(location, environment: environment)
        #expect(found.facts.first == .init(name: "service", detail: "backup.example, port 2022 (SSH_PORT)"))
        #expect(found.variables.contains { $0.name == "SSH_USERNAME" && $0.text == "me" })
        #expect(found.variables.contains { $0.name == "SSH_PASSWORD" && $0.text == nil })
        #expect(found.secretFiles == [])
        #expect(!"\(found)".contains("hunter2"))
        let keys = try SSHSettings.inspect(location, environment: RoleEnvironment(["HOME": "/h"], role: nil))
        #expect(keys.secretFiles == ["/h/.ssh/id_ed25519", "/h/.ssh/id_ecdsa", "/h/.ssh/id_rsa"])
    }

    // MARK: - Credentials

    @Test("what variables name goes before the agent, and that before the usual files")
    func order() throws {
        let home = try Home("id_ed25519", "id_rsa", "own")
        let (files, own) = ("\(home.path)/.ssh", "\(home.path)/.ssh/own")
        let all = [
            "HOME": home.path, "SSH_PRIVATE_KEY_PATH": "~/.ssh/own", "SSH_PASSWORD": "hunter2",
            "SSH_AUTH_SOCK": "/run/agent", "SSH_USERNAME": "backup",
        ]
        #expect(
            try find(all) == "SSH_PRIVATE_KEY_PATH (user backup, key \(own)), SSH_PASSWORD (user backup)")
        #expect(try find(all, user: "uri").contains("user uri"))
        #expect(try find(["SSH_PASSWORD": "hunter2"]) == "SSH_PASSWORD (user local)")
        let usual =
            "the usual files (user local, key \(files)/id_ed25519), the usual files (user local, key \(files)/id_rsa)"
        #expect(try find(["HOME": home.path]) == usual)
        #expect(
            try find(["HOME": home.path, "SSH_AUTH_SOCK": "/run/agent"])
                == "SSH_AUTH_SOCK (user local, agent at /run/agent), \(usual)")
    }

    @Test("where there is nothing, the message says what was looked for")
    func nothing() throws {
        let home = try Home()
        let text = failure(["HOME": home.path])
        for expected in ["SSH_PRIVATE_KEY_PATH: not set", "SSH_AUTH_SOCK: not set", "id_rsa: no such file", "set SSH_"]
        {
            #expect(text.contains(expected), "\(text)")
        }
        #expect(failure(["SSH_PRIVATE_KEY_PATH": "/nowhere"]).contains("SSH_PRIVATE_KEY_PATH: no such file"))
        try "ssh-ed25519 AAAA".write(toFile: "\(home.path)/key.pub", atomically: true, encoding: .utf8)
        #expect(failure(["SSH_PRIVATE_KEY_PATH": "\(home.path)/key.pub"]).contains("holds no private key"))
    }

    @Test("a role with an identity of its own takes no part of another")
    func roles() throws {
        let home = try Home("id_ed25519", "own")
        let own = "\(home.path)/.ssh/own"
        let common = [
            "HOME": home.path, "SSH_USERNAME": "common", "SSH_PASSWORD": "hunter2", "SSH_AUTH_SOCK": "/run/agent",
        ]
        func merged(_ more: [String: String]) -> [String: String] { common.merging(more) { $1 } }
        #expect(try find(common, role: .snapshot) == "SSH_PASSWORD (user common)")
        #expect(
            try find(merged(["SNAPSHOT_SSH_PRIVATE_KEY_PATH": own]), role: .snapshot)
                == "SNAPSHOT_SSH_PRIVATE_KEY_PATH (user local, key \(own))")
        #expect(
            try find(merged(["SNAPSHOT_SSH_AUTH_SOCK": "/run/other"]), role: .snapshot)
                == "SNAPSHOT_SSH_AUTH_SOCK (user local, agent at /run/other)")
        // A user of its own needs a proof of its own; the files in the home directory are another's.
        let alone = failure(merged(["SNAPSHOT_SSH_USERNAME": "them"]), role: .snapshot)
        #expect(alone.contains("set SNAPSHOT_SSH_PRIVATE_KEY_PATH, or SNAPSHOT_SSH_PASSWORD"), "\(alone)")
        #expect(!alone.contains("id_ed25519"))
        let elsewhere = failure(merged(["SNAPSHOT_SSH_PORT": "2222"]), role: .snapshot)
        #expect(elsewhere.contains("SNAPSHOT_SSH_PORT names a service of its own"), "\(elsewhere)")
        let inherited = merged(["SNAPSHOT_SSH_PORT": "2222", "SNAPSHOT_CREDENTIALS": "inherit"])
        #expect(try find(inherited, role: .snapshot) == "SSH_PASSWORD (user common)")
        #expect(try find(merged(["SNAPSHOT_SSH_PORT": "2222"]), role: .storage) == "SSH_PASSWORD (user common)")
    }

    @Test("a WAL-G user's environment is understood as it is")
    func walg() throws {
        let home = try Home("walg")
        let variables = [
            "WALG_SSH_PREFIX": "ssh://backup.example/srv/walg", "SSH_PORT": "2022", "SSH_USERNAME": "walg",
            "SSH_PRIVATE_KEY_PATH": "\(home.path)/.ssh/walg", "WALG_SSH_PASSWORD": "hunter2",
        ]
        let location = try parse("SSH_PREFIX", variables)
        #expect(location.container == "backup.example" && location.path == "/srv/walg")
        #expect(try settings(variables).port == 2022)
        #expect(
            try find(variables)
                == "SSH_PRIVATE_KEY_PATH (user walg, key \(home.path)/.ssh/walg), WALG_SSH_PASSWORD (user walg)")
    }
}
