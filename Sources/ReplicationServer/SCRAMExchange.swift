import Digests

/// The server's side of one SCRAM-SHA-256 authentication, RFC 5802 and RFC 7677: messages in, messages out.
struct SCRAMExchange {
    static let mechanism = "SCRAM-SHA-256"
    static let bindingMechanism = "SCRAM-SHA-256-PLUS"

    private enum Binding {
        case none
        case tlsServerEndPoint
    }

    private let verifier: SCRAMVerifier
    private let isKnownUser: Bool
    /// The certificate's hash that `tls-server-end-point` names; nil without TLS.
    private let certificateHash: [UInt8]?
    private let serverNonce: String

    private var gs2Header = ""
    private var binding = Binding.none
    private var clientFirstBare = ""
    private var serverFirst = ""
    private var nonce = ""

    init(verifier: SCRAMVerifier, isKnownUser: Bool, certificateHash: [UInt8]?, serverNonce: String) {
        self.verifier = verifier
        self.isKnownUser = isKnownUser
        self.certificateHash = certificateHash
        self.serverNonce = serverNonce
    }

    /// 18 random bytes, as PostgreSQL takes (`SCRAM_RAW_NONCE_LEN`).
    static func makeNonce() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<18).map { _ in UInt8.random(in: .min ... .max, using: &generator) }.base64
    }

    /// What is offered to the client, the preferred one first.
    var mechanisms: [String] {
        certificateHash == nil ? [Self.mechanism] : [Self.bindingMechanism, Self.mechanism]
    }

    /// The answer to the client's first message, and to the mechanism that it chose.
    mutating func first(mechanism: String, message: [UInt8]) throws(ServerError) -> [UInt8] {
        guard mechanisms.contains(mechanism) else {
            throw .violation("client selected an invalid SASL authentication mechanism")
        }
        let text = try Self.text(message)
        // gs2-cbind-flag "," [authzid] "," client-first-message-bare
        let parts = text.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw Self.malformed("Message has too few attributes.") }
        switch (parts[0], mechanism) {
        case ("p=tls-server-end-point", Self.bindingMechanism): binding = .tlsServerEndPoint
        case ("n", Self.mechanism): binding = .none
        case ("y", Self.mechanism):
            // The client can bind and believes that we cannot: somebody between took our offer out.
            guard certificateHash == nil else {
                throw .fatal(
                    "28000", "SCRAM channel binding negotiation error",
                    detail: "The client supports SCRAM channel binding but thinks the server does not.  "
                        + "However, this server does support channel binding.")
            }
            binding = .none
        default: throw Self.malformed("The channel-binding flag does not go with the mechanism.")
        }
        guard parts[1].isEmpty else {
            throw .fatal("0A000", "client uses authorization identity, but it is not supported")
        }
        gs2Header = "\(parts[0]),,"
        clientFirstBare = String(parts[2])
        // The user's name comes from the start-up packet, as in PostgreSQL; the one here may be empty.
        let attributes = clientFirstBare.split(separator: ",", omittingEmptySubsequences: false)
        if attributes[0].hasPrefix("m=") {
            throw .fatal("0A000", "client requires an unsupported SCRAM extension")
        }
        guard attributes.count >= 2, attributes[0].hasPrefix("n="), attributes[1].hasPrefix("r="),
            attributes[1].utf8.count > 2
        else { throw Self.malformed("Attributes \"n\" and \"r\" were expected.") }
        nonce = attributes[1].dropFirst(2) + serverNonce
        serverFirst = "r=\(nonce),s=\(verifier.salt.base64),i=\(verifier.iterations)"
        return Array(serverFirst.utf8)
    }

    /// The answer to the client's last message, which proves that the server knows the user as well; nil when the
    /// password is wrong.
    func final(message: [UInt8]) throws(ServerError) -> [UInt8]? {
        let text = try Self.text(message)
        let attributes = text.split(separator: ",", omittingEmptySubsequences: false)
        guard attributes.count >= 3, attributes[0].hasPrefix("c="), attributes[1].hasPrefix("r="),
            let last = attributes.last, last.hasPrefix("p="), let proof = [UInt8](base64: String(last.dropFirst(2))),
            proof.count == 32
        else { throw Self.malformed("Attributes \"c\", \"r\" and \"p\" were expected.") }
        var channel = Array(gs2Header.utf8)
        if binding == .tlsServerEndPoint, let certificateHash { channel += certificateHash }
        guard attributes[0].dropFirst(2) == channel.base64 else {
            throw .fatal("28000", "SCRAM channel binding check failed")
        }
        guard attributes[1].dropFirst(2) == nonce else { throw Self.malformed("Nonce does not match.") }

        let withoutProof = text.utf8.dropLast(last.utf8.count + 1)
        let authMessage = Array("\(clientFirstBare),\(serverFirst),".utf8) + withoutProof
        let signature = Digest.hmacSHA256(key: verifier.storedKey, authMessage)
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        let isRight = Self.isEqual(Digest.sha256(clientKey), verifier.storedKey)
        guard isRight, isKnownUser else { return nil }
        return Array("v=\(Digest.hmacSHA256(key: verifier.serverKey, authMessage).base64)".utf8)
    }

    private static func text(_ message: [UInt8]) throws(ServerError) -> String {
        guard let text = String(validating: message, as: UTF8.self), !message.contains(0) else {
            throw malformed("The message is no text.")
        }
        return text
    }

    private static func malformed(_ detail: String) -> ServerError {
        .fatal("08P01", "malformed SCRAM message", detail: detail)
    }

    /// Takes the same time wherever they differ.
    private static func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
