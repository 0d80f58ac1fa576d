import Digests
public import StorageURI

/// What a server keeps of a password for SCRAM-SHA-256, in PostgreSQL's form (`pg_authid.rolpassword`):
/// `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`. The password cannot be had from it, but guesses can be tried.
public struct SCRAMVerifier: Sendable, CustomStringConvertible, CustomReflectable {
    let iterations: Int
    let salt: [UInt8]
    let storedKey: [UInt8]
    let serverKey: [UInt8]

    public var description: String { "<redacted>" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Parses PostgreSQL's form; nil when the text is none.
    public init?(_ text: Secret) {
        let parts = text.reveal().split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "SCRAM-SHA-256" else { return nil }
        let parameters = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard parameters.count == 2, keys.count == 2, let iterations = Int(parameters[0]),
            (1...Int(Int32.max)).contains(iterations),
            let salt = [UInt8](base64: String(parameters[1])), !salt.isEmpty,
            let storedKey = [UInt8](base64: String(keys[0])), storedKey.count == 32,
            let serverKey = [UInt8](base64: String(keys[1])), serverKey.count == 32
        else { return nil }
        self.init(iterations: iterations, salt: salt, storedKey: storedKey, serverKey: serverKey)
    }

    private init(iterations: Int, salt: [UInt8], storedKey: [UInt8], serverKey: [UInt8]) {
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// What nobody outside knows, and what is the same after a restart: else a salt that changed would tell which users
    /// do not exist.
    static func mockSecret(_ users: [String: SCRAMVerifier]) -> [UInt8] {
        Digest.sha256(users.sorted { $0.key < $1.key }.flatMap { $0.value.storedKey + $0.value.serverKey })
    }

    /// For a user who does not exist: looks like one's, the same each time, and no password fits. As PostgreSQL's
    /// `mock_scram_secret`.
    static func mock(user: String, secret: [UInt8]) -> SCRAMVerifier {
        let salt = Array(Digest.hmacSHA256(key: secret, user.utf8)[..<16])
        let nothing = [UInt8](repeating: 0, count: 32)
        return SCRAMVerifier(iterations: 4096, salt: salt, storedKey: nothing, serverKey: nothing)
    }
}
