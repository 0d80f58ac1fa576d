import CSSH2
import Digests
import StorageURI

/// Decides whether a host is the right one, by its key.
struct SSHHostKey {
    private let options: SSHOptions

    init(_ options: SSHOptions) { self.options = options }

    /// What libssh2 may know, the best first.
    private static let types = [
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512",
        "rsa-sha2-256", "ssh-rsa",
    ]

    /// The types of keys to ask the host for, in this order: one that is known goes first.
    func preferredTypes() throws(ServiceFailure) -> String {
        guard case .knownHosts(let files, _) = options.hostKeyCheck else { return Self.types.joined(separator: ",") }
        let known = try KnownHosts(files: files, host: options.host, port: options.port)
        let names = Set(known.entries.filter { !$0.isRevoked && !$0.isOfOtherPort }.map(\.keyType))
        let isKnown = { (type: String) in names.contains(type.hasPrefix("rsa-") ? "ssh-rsa" : type) }
        return (Self.types.filter(isKnown) + Self.types.filter { !isKnown($0) }).joined(separator: ",")
    }

    /// Throws unless the host's key is the right one.
    func check(_ session: OpaquePointer) throws(ServiceFailure) {
        var count = 0
        var kind: Int32 = 0
        guard let start = libssh2_session_hostkey(session, &count, &kind) else {
            throw ServiceFailure(.unavailable, "\(options.host) shows no key")
        }
        let key = [UInt8](UnsafeRawBufferPointer(start: start, count: count))
        var reader = SFTPReader(key[...])  // a key begins with its type, written as texts are in messages
        let type = String(decoding: reader.bytes() ?? [], as: UTF8.self)
        switch options.hostKeyCheck {
        case .none: return
        case .fingerprint(let expected):
            guard Digest.sha256(key) == expected else {
                throw untrusted(
                    type, key, "has not the fingerprint of SSH_HOST_KEY_FINGERPRINT",
                    "if this is the host's own key, give its fingerprint")
            }
        case .knownHosts(let files, let addsNew):
            try check(key, type, files, addsNew: addsNew)
        }
    }

    private func check(_ key: [UInt8], _ type: String, _ files: [String], addsNew: Bool) throws(ServiceFailure) {
        let (host, port) = (options.host, options.port)
        let known = try KnownHosts(files: files, host: host, port: port)
        let name = port == 22 ? host : "[\(host)]:\(port)"
        let scan = "ssh-keyscan \(port == 22 ? "" : "-p \(port) ")\(host)"
        let own = files.first ?? "~/.ssh/known_hosts"
        switch known.verdict(type: type, key: key) {
        case .known: return
        case .unknown where addsNew && !files.isEmpty:
            try KnownHosts.add(key, type: type, host: host, port: port, to: own)
        case .unknown:
            throw untrusted(
                type, key, "is not in \(files.joined(separator: " or in "))",
                "if it is the right one, add it: \(scan) >>\(own)")
        case .otherTypes(let entry):
            throw untrusted(
                type, key, "is of another type than the one in \(entry.place)",
                "if it is the right one, add it: \(scan) >>\(entry.file)")
        case .changed(let entry):
            throw untrusted(
                type, key, "is not the one in \(entry.place)",
                "either the host has a new key or somebody stands in between; if it is new, remove the old one "
                    + "(ssh-keygen -f \(entry.file) -R '\(name)') and add it (\(scan) >>\(entry.file))")
        case .revoked(let entry):
            throw untrusted(type, key, "is revoked by \(entry.place)", "the host needs another key")
        }
    }

    private func untrusted(_ type: String, _ key: [UInt8], _ what: String, _ advice: String) -> ServiceFailure {
        var fingerprint = Digest.sha256(key).base64
        while fingerprint.hasSuffix("=") { fingerprint.removeLast() }
        return ServiceFailure(
            .unavailable,
            "\(options.host), port \(options.port), is not trusted: its key (\(type), SHA256:\(fingerprint)) \(what); "
                + advice)
    }
}
