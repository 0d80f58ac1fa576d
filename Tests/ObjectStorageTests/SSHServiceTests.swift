import Foundation
import StorageURI
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

/// How to get in, what the host has to prove, and what its file system refuses.
@Suite("SFTP servers", .timeLimit(.minutes(10)))
struct SSHServiceTests {
    private func works(_ store: SSHObjectStore) async throws {
        try await store.put("o", .bytes([1, 2, 3]), mode: .createOnly)
        #expect(try await store.get("o", range: nil) == [1, 2, 3])
        try await store.delete(["o"])
    }

    // MARK: - Logging in

    @Test("keys of each type, encrypted ones too, an agent's keys, and passwords let in")
    func methods() async throws {
        let server = try await SSHTestServer.sshd
        let agent = SSHCredentials.Method(proof: .agent(socket: server.file("agent")), source: "SSH_AUTH_SOCK")
        let methods = [
            server.key("id_ed25519"), server.key("id_ecdsa"), agent,
            server.key("id_encrypted", passphrase: server.passphrase),
        ]
        for method in methods { try await works(server.store(prefix: uniquePrefix("login"), methods: [method])) }
        // The first that lets in is enough.
        let stranger = server.key("id_stranger")
        try await works(server.store(prefix: uniquePrefix("login"), methods: [stranger, agent]))
        let rclone = try await SSHTestServer.rclone
        let password = SSHCredentials.Method(proof: .password(Secret(rclone.password ?? "")), source: "SSH_PASSWORD")
        // libssh2 1.10 signs with RSA keys in a way that OpenSSH no longer takes, and rclone does.
        for method in [password, rclone.key("id_rsa")] {
            try await works(rclone.store(prefix: uniquePrefix("login"), methods: [method]))
        }
    }

    @Test("what does not let in is said, with where it came from")
    func refusals() async throws {
        let server = try await SSHTestServer.sshd
        func refusal(_ methods: [SSHCredentials.Method], user: String? = nil) async -> String {
            let store = server.store(prefix: "refused", methods: methods, user: user)
            let failure = await expectFailure(.denied) { try await store.put("a", .bytes([1]), mode: .createOnly) }
            await expectFailure(.denied) { try await store.get("a", range: nil) }
            await expectFailure(.denied) { try await store.list(prefix: "", delimiter: nil, after: nil, limit: 1) }
            return failure?.description ?? ""
        }
        let password = SSHCredentials.Method(proof: .password(Secret("hunter2")), source: "SSH_PASSWORD")
        let missing = SSHCredentials.Method(proof: .agent(socket: "/nowhere"), source: "SSH_AUTH_SOCK")
        let cases: [([SSHCredentials.Method], String)] = [
            ([server.key("id_stranger")], "key \(server.file("id_stranger")) (SSH_PRIVATE_KEY_PATH): refused"),
            ([server.key("none")], "cannot be read"),
            ([missing], "agent at /nowhere (SSH_AUTH_SOCK): cannot be reached"),
            ([server.key("id_encrypted")], "is encrypted, and SSH_PRIVATE_KEY_PASSPHRASE is not set"),
            ([server.key("id_encrypted", passphrase: "hunter2")], "is encrypted with another passphrase"),
            ([password], "the server takes no passwords"), ([password], "it takes publickey"),
        ]
        for (methods, expected) in cases {
            let text = await refusal(methods)
            #expect(text.contains(expected), "\(text)")
            #expect(text.contains("user \(server.user)") && text.contains("credentials came from"), "\(text)")
            #expect(!text.contains("hunter2"), "\(text)")
        }
        #expect(await refusal([server.method], user: "nobody-of-that-name").contains("nobody-of-that-name"))
        let rclone = try await SSHTestServer.rclone
        let store = rclone.store(prefix: "refused", methods: [password])
        let failure = await expectFailure(.denied) { try await store.get("a", range: nil) }
        #expect(failure?.description.contains("password (SSH_PASSWORD): refused") == true)
    }

    @Test("an RSA key works, or the message says why this libssh2 cannot use it")
    func rsa() async throws {
        let server = try await SSHTestServer.sshd
        let store = server.store(prefix: uniquePrefix("rsa"), methods: [server.key("id_rsa")])
        do { try await works(store) } catch let error as ObjectStoreError {
            #expect(error.code == .denied && error.description.contains("use a key of the type ed25519 or ecdsa"))
        }
    }

    // MARK: - The host's key

    @Test("the host's key must be known")
    func hostKeys() async throws {
        let server = try await SSHTestServer.sshd
        let directory = try TemporaryDirectory()
        let lines = try String(contentsOfFile: server.file("known_hosts"), encoding: .utf8)
        func file(_ text: String) throws -> String {
            let path = directory.path + "/\(UUID().uuidString)"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }
        func store(_ check: SSHSettings.HostKeyCheck) -> SSHObjectStore {
            server.store(prefix: uniquePrefix("host")) { $0.hostKeyCheck = check }
        }
        func refusal(_ check: SSHSettings.HostKeyCheck) async -> String {
            let failure = await expectFailure(.unavailable) { try await store(check).get("o", range: nil) }
            // Not repeated: it would be no better.
            #expect(failure?.description.contains("tries") == false)
            return failure?.description ?? ""
        }
        let (host, port) = ("[127.0.0.1]:\(server.port)", server.port)
        // Each type alone: the host is asked for the one that is known.
        for line in lines.split(separator: "\n") where !line.contains("ssh-rsa") {
            try await works(store(.knownHosts(files: ["/nowhere", try file("# c\n\n\(line)\n")], addsNew: false)))
        }
        let hashed = try file(lines)
        #expect(try run(["ssh-keygen", "-H", "-f", hashed]).status == 0)
        #expect(try !String(contentsOfFile: hashed, encoding: .utf8).contains("127.0.0.1"))
        try await works(store(.knownHosts(files: [hashed], addsNew: false)))

        let empty = try file("")
        let unknown = await refusal(.knownHosts(files: [empty], addsNew: false))
        #expect(
            unknown.contains("is not in \(empty)") && unknown.contains("ssh-keyscan -p \(port) 127.0.0.1 >>\(empty)"))
        let stranger = try String(contentsOfFile: server.file("id_stranger.pub"), encoding: .utf8)
        let wrong = try file("# first\nother.example ssh-ed25519 AAAA\n\(host) \(stranger)")
        for addsNew in [false, true] {
            let changed = await refusal(.knownHosts(files: [wrong], addsNew: addsNew))
            #expect(changed.contains("is not the one in \(wrong), line 3") && changed.contains("-R '\(host)'"))
        }
        let first = lines.split(separator: "\n")[0]
        let revoked = await refusal(
            .knownHosts(
                files: [
                    try file("\(lines)@revoked * \(first.split(separator: " ").dropFirst().joined(separator: " "))\n")
                ], addsNew: false))
        #expect(revoked.contains("is revoked by"))

        let new = directory.path + "/.ssh/known_hosts"
        try await works(store(.knownHosts(files: [new], addsNew: true)))
        try await works(store(.knownHosts(files: [new], addsNew: false)))
        #expect(try run(["ssh-keygen", "-F", host, "-f", new]).output.contains("found: line 1"))
    }

    @Test("a fingerprint must fit")
    func fingerprint() async throws {
        let server = try await SSHTestServer.sshd
        let shown = try run(["ssh-keygen", "-l", "-f", server.file("host_ed25519.pub")]).output
        let good = try SSHSettings(
            environment: RoleEnvironment(
                ["SSH_HOST_KEY_FINGERPRINT": String(shown.split(separator: " ")[1])], role: nil))
        try await works(server.store(prefix: uniquePrefix("host")) { $0.hostKeyCheck = good.hostKeyCheck })
        let bad = server.store(prefix: "host") { $0.hostKeyCheck = .fingerprint([UInt8](repeating: 1, count: 32)) }
        let failure = await expectFailure(.unavailable) { try await bad.get("o", range: nil) }
        #expect(failure?.description.contains("SSH_HOST_KEY_FINGERPRINT") == true)
    }

    // MARK: - The file system

    @Test("a server without extensions creates after a look, and replaces nothing")
    func plain() async throws {
        let server = try await SSHTestServer.sshd
        let prefix = uniquePrefix("plain")
        let store = server.store(prefix: prefix, port: server.plainPort)
        for body in [testBytes(5), testBytes(3_000_000)] {
            let key = ObjectKey("d/\(body.count)")
            try await store.put(key, .bytes(body), mode: .createOnly)
            await expectFailure(.alreadyExists) { try await store.put(key, .bytes([1]), mode: .createOnly) }
            let failure = await expectFailure(.invalid) { try await store.put(key, .bytes([1]), mode: .overwrite) }
            #expect(failure?.description.contains("posix-rename") == true, "\(failure?.description ?? "")")
            #expect(try await store.get(key, range: nil) == body)
            try await store.put(ObjectKey("new-\(body.count)"), .bytes(body), mode: .overwrite)
        }
        #expect(!store.createsAtomically)
        #expect(try await server.leftovers(prefix) == [])
    }

    @Test("a full disk is said to be one, and keeps nothing")
    func full() async throws {
        let server = try await SSHTestServer.sshd
        guard server.small != nil else {
            withKnownIssue("this machine lets no small file system be made: not tried") {
                Issue.record("skipped")
            }
            return
        }
        let store = server.store(prefix: "small/\(uniquePrefix("full"))")
        for size in [3 << 20, 900_000] {
            let failure = await expectFailure(.full) {
                for index in 0..<5 {
                    try await store.put(ObjectKey("\(index)"), .bytes(testBytes(size)), mode: .createOnly)
                }
            }
            #expect(failure?.description.contains("no space left") == true)
        }
        let kept = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10).objects
        try await store.delete(kept.map(\.key))
        // All of the room is there again: no temporary file has stayed.
        try await store.put("again", .bytes(testBytes(1_500_000)), mode: .createOnly)
        try await store.delete(["again"])
    }

    @Test("what the user may not do is said, with the path and the user")
    func denied() async throws {
        let server = try await SSHTestServer.sshd
        let prefix = uniquePrefix("denied")
        let store = server.store(prefix: prefix)
        try await store.put("d/o", .bytes([1]), mode: .createOnly)
        let directory = "\(server.root)/\(prefix)/d"
        chmod(directory, 0o500)
        let write = await expectFailure(.denied) { try await store.put("d/p", .bytes([1]), mode: .createOnly) }
        #expect(
            write?.description.contains("\(prefix)/d/") == true
                && write?.description.contains("user \(server.user)") == true)
        await expectFailure(.denied) { try await store.delete(["d/o"]) }
        chmod(directory, 0)
        await expectFailure(.denied) { try await store.get("d/o", range: nil) }
        await expectFailure(.denied) { try await store.list(prefix: "", delimiter: nil, after: nil, limit: 5) }
        chmod(directory, 0o700)
        try await store.delete(["d/o"])
    }

    @Test("what killed writers have left is removed after a day, and not before")
    func abandoned() async throws {
        let server = try await SSHTestServer.sshd
        let prefix = uniquePrefix("abandoned")
        let path = "\(server.root)/\(prefix)"
        let first = server.store(prefix: prefix)
        try await first.put("o", .bytes([1]), mode: .createOnly)
        for name in ["old", "new"] {
            #expect(FileManager.default.createFile(atPath: "\(path)/\(FileKey.temporaryPrefix)\(name)", contents: nil))
        }
        let old = "\(path)/\(FileKey.temporaryPrefix)old"
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -90_000)], ofItemAtPath: old)
        try await server.store(prefix: prefix).put("p", .bytes([1]), mode: .createOnly)
        #expect(server.files(prefix) == ["\(FileKey.temporaryPrefix)new", "o", "p"])
    }

    @Test("symlinks and other things that are no objects are not listed")
    func odd() async throws {
        let server = try await SSHTestServer.sshd
        let prefix = uniquePrefix("odd")
        let store = server.store(prefix: prefix)
        try await store.put("d/o", .bytes([1]), mode: .createOnly)
        let path = "\(server.root)/\(prefix)"
        symlink("\(path)/d/o", "\(path)/link")
        symlink("\(path)/d", "\(path)/directory-link")
        mkfifo("\(path)/pipe", 0o600)
        mkdir("\(path)/empty", 0o755)
        let listed = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 10)
        #expect(listed.objects.map(\.key) == ["d/o"])
        let rolled = try await store.list(prefix: "", delimiter: "/", after: nil, limit: 10)
        #expect(rolled.commonPrefixes == ["d/"] && rolled.objects.isEmpty)
        await expectFailure(.corrupt) { try await store.head("pipe") }
        await expectFailure(.invalid) { try await store.put("d", .bytes([1]), mode: .createOnly) }
        await expectFailure(.invalid) { try await store.put("d", .bytes([1]), mode: .overwrite) }
        await expectFailure(.invalid) { try await store.put("d/o/x", .bytes([1]), mode: .createOnly) }
    }

    @Test("a storage that is not there yet is empty, and is made by the first object")
    func root() async throws {
        let server = try await SSHTestServer.sshd
        let store = server.store(prefix: "\(uniquePrefix("root"))/a/b")
        #expect(try await store.isEmpty())
        try await works(store)
        let file = server.store(prefix: uniquePrefix("file"))
        #expect(FileManager.default.createFile(atPath: file.location.path, contents: nil))
        await expectFailure(.invalid) { try await file.put("o", .bytes([1]), mode: .createOnly) }
        await expectFailure(.invalid) { try await file.list(prefix: "", delimiter: nil, after: nil, limit: 1) }
    }

    @Test(
        "a storage that was only tried out leaves no directory, and may be written to again",
        arguments: SSHTestService.allCases)
    func emptyRoot(service: SSHTestService) async throws {
        let server = try await service.server
        let prefix = uniquePrefix("tried")
        let parent = server.store(prefix: prefix)
        try await parent.put("kept", .bytes([1]), mode: .createOnly)
        let store = server.store(prefix: "\(prefix)/made/here")
        for _ in 0..<2 {
            try await store.put("a/b", .bytes([1]), mode: .createOnly)
            try await store.put("c", .bytes([1]), mode: .createOnly)
            try await store.delete(["c"])
            #expect(try await store.exists("a/b"))
            try await store.delete(["a/b"])
            #expect(server.files(prefix) == ["kept"])
        }
        try await parent.delete(["kept"])
        #expect(!FileManager.default.fileExists(atPath: "\(server.directory)/data/\(prefix)"))
    }

    @Test("a large directory is listed from where a page ended, though it changes")
    func largeDirectory() async throws {
        let server = try await SSHTestServer.sshd
        let prefix = uniquePrefix("large")
        let store = server.store(prefix: prefix)
        try await store.put("0000", .bytes([1]), mode: .createOnly)
        let path = "\(server.root)/\(prefix)"
        for index in 1..<1200 {
            _ = FileManager.default.createFile(atPath: "\(path)/\(String(format: "%04d", index))", contents: Data([1]))
        }
        let page = try await store.list(prefix: "", delimiter: nil, after: nil, limit: 500)
        #expect(page.next == "0499")
        #expect(store.lastListed.withLock { $0?.snapshot.entries.count } == 1200)
        try await Task.sleep(for: .milliseconds(1100))  // the protocol tells times in seconds
        try await store.delete(["0500", "0502"])
        let next = try await store.list(prefix: "", delimiter: nil, after: page.next, limit: 3)
        #expect(next.objects.map(\.key) == ["0501", "0503", "0504"])
        let rest = try await store.list(prefix: "", delimiter: nil, after: next.next, limit: 1000)
        #expect(rest.objects.count == 695 && rest.next == nil)
    }
}
