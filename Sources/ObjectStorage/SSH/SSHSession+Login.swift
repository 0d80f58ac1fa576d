import CSSH2
import Digests
import Glibc
import StorageURI

extension SSHSession {
    /// Tries what the credentials hold until the server lets us in.
    func logIn(_ credentials: SSHCredentials) throws(ServiceFailure) {
        let user = credentials.user
        let length = UInt32(user.utf8.count)
        let list = try callForPointer {
            libssh2_userauth_list(raw, user, length).map { OpaquePointer($0) }
        }
        guard let list else {
            if libssh2_userauth_authenticated(raw) != 0 { return }  // nothing was asked for
            throw broken("\(options.host) does not say how to log in", libssh2_session_last_errno(raw))
        }
        let accepted = String(cString: UnsafePointer<CChar>(list)).split(separator: ",")
        var outcomes: [String] = []
        for method in credentials.methods {
            let outcome: String?
            switch method.proof {
            case .password(let password):
                if accepted.contains("password") {
                    outcome = try logIn(user, password: password)
                } else if accepted.contains("keyboard-interactive") {
                    outcome = try logIn(user, answer: password)
                } else {
                    outcome = "the server takes no passwords"
                }
            case .key where !accepted.contains("publickey"), .agent where !accepted.contains("publickey"):
                outcome = "the server takes no keys"
            case .key(let path, let passphrase):
                outcome = try logIn(user, key: path, passphrase: passphrase)
            case .agent(let socket):
                outcome = try logIn(user, agent: socket)
            }
            guard let outcome else { return }
            outcomes.append("\(method.words) (\(method.source)): \(outcome)")
        }
        throw ServiceFailure(
            .denied,
            "\(options.host) does not let the user \(user) in: \(outcomes.joined(separator: "; ")); "
                + "it takes \(accepted.joined(separator: ", "))")
    }

    /// Nil: logged in. Else how it went wrong.
    private func outcome(_ code: Int32, refused: String) throws(ServiceFailure) -> String? {
        switch code {
        case 0: return nil
        case LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED: return refused
        case LIBSSH2_ERROR_SOCKET_SEND, LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_DISCONNECT,
            LIBSSH2_ERROR_SOCKET_TIMEOUT, LIBSSH2_ERROR_TIMEOUT:
            throw broken("\(options.host) ended the connection at the login", code)
        default: return lastError
        }
    }

    private func logIn(_ user: String, password: Secret) throws(ServiceFailure) -> String? {
        let text = password.reveal()
        let code = try call {
            libssh2_userauth_password_ex(
                raw, user, UInt32(user.utf8.count), text, UInt32(text.utf8.count), nil)
        }
        return try outcome(code, refused: "refused")
    }

    private func logIn(_ user: String, answer: Secret) throws(ServiceFailure) -> String? {
        // libssh2 may ask for it during any of the calls.
        guard let text = strdup(answer.reveal()) else { throw ServiceFailure(.unavailable, "out of memory") }
        defer { free(text) }
        let code = try call { cssh2_keyboard_interactive(raw, user, UInt32(user.utf8.count), text) }
        return try outcome(code, refused: "refused, as an answer to its questions")
    }

    private func logIn(_ user: String, key path: String, passphrase: Secret?) throws(ServiceFailure) -> String? {
        let phrase = passphrase?.reveal() ?? ""
        let code = try call {
            libssh2_userauth_publickey_fromfile_ex(raw, user, UInt32(user.utf8.count), nil, path, phrase)
        }
        let text = try outcome(code, refused: "refused")
        guard let text else { return nil }
        let key = (try? SSHPrivateKeyFile(path: path)) ?? nil
        guard let key else { return "cannot be read" }
        if code == LIBSSH2_ERROR_FILE || code == LIBSSH2_ERROR_KEYFILE_AUTH_FAILED {
            if !key.isEncrypted { return text }
            return passphrase == nil
                ? "is encrypted, and SSH_PRIVATE_KEY_PASSPHRASE is not set" : "is encrypted with another passphrase"
        }
        return text + (key.isRSA ? Self.advice(rsa: libssh2_version(Self.firstWithSHA2) != nil) : "")
    }

    /// libssh2 1.11 is the first to sign with RSA keys by anything but SHA-1.
    private static let firstWithSHA2: Int32 = 0x01_0B_00

    private static func advice(rsa isModern: Bool) -> String {
        guard !isModern, let version = libssh2_version(0) else { return "" }
        return
            " (libssh2 \(String(cString: version)) signs with RSA keys by SHA-1 only, which OpenSSH 8.8 and later refuse: "
            + "use a key of the type ed25519 or ecdsa)"
    }

    private func logIn(_ user: String, agent socketPath: String) throws(ServiceFailure) -> String? {
        guard let agent = libssh2_agent_init(raw) else { return lastError }
        defer { libssh2_agent_free(agent) }
        libssh2_agent_set_identity_path(agent, socketPath)
        guard libssh2_agent_connect(agent) == 0 else { return "cannot be reached" }
        defer { libssh2_agent_disconnect(agent) }
        guard libssh2_agent_list_identities(agent) == 0 else { return "does not list its keys" }
        var count = 0
        var previous: UnsafeMutablePointer<libssh2_agent_publickey>?
        var identity: UnsafeMutablePointer<libssh2_agent_publickey>?
        while libssh2_agent_get_identity(agent, &identity, previous) == 0, let current = identity {
            count += 1
            let code = try call { libssh2_agent_userauth(agent, user, current) }
            if try outcome(code, refused: "refused") == nil { return nil }
            previous = current
        }
        return count == 0 ? "holds no key" : "none of its \(count) keys was accepted"
    }
}

/// What can be told of a private key without its passphrase.
struct SSHPrivateKeyFile {
    let isEncrypted: Bool
    let isRSA: Bool

    private static let maximumBytes = 1 << 20

    init?(path: String) throws {
        let file = try OpenFile(path: path)
        let count = try file.byteCount()
        guard count <= Self.maximumBytes else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        let region = FileRegion(file: file, offset: 0, count: count)
        let read = try bytes.withUnsafeMutableBytes { try region.read(at: 0, into: $0) }
        let text = String(decoding: bytes.prefix(read), as: UTF8.self)
        let lines = text.split(whereSeparator: \.isNewline)
        // OpenSSH's own form: Base64 of `openssh-key-v1`, the cipher's name, …, the public key.
        let body = [UInt8](base64: lines.filter { !$0.hasPrefix("-") && !$0.contains(":") }.joined()) ?? []
        let isOwnForm = text.contains("BEGIN OPENSSH PRIVATE KEY")
        let name = body.dropFirst("openssh-key-v1".utf8.count + 1 + 4).prefix(4)
        isEncrypted = isOwnForm ? !name.elementsEqual("none".utf8) : text.contains("ENCRYPTED")
        isRSA = text.contains("BEGIN RSA") || body.firstRange(of: Array("ssh-rsa".utf8)) != nil
    }
}
