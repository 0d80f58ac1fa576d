import Digests
import FoundationEssentials

/// An application's certificate and key: what it proves itself with to Entra, in place of a secret.
struct AzureClientCertificate: Sendable {
    private let key: RSAPrivateKey
    /// The application's own first, in DER.
    private let certificates: [[UInt8]]
    private let sendsChain: Bool
    private let name: String

    /// How long an assertion is good for.
    private static let life = 600

    /// - Parameters:
    ///   - name: The variable that names the file, for messages.
    ///   - sendsChain: Whether the assertion carries the certificates.
    init(path: String, named name: String, password: Secret?, sendsChain: Bool) throws(CredentialSourceFailure) {
        let text = try CredentialFile.text(path, named: name)
        certificates = PEM.certificates(in: text)
        guard !certificates.isEmpty else {
            throw CredentialSourceFailure(name, "\(shown(path)) holds no certificate in PEM form")
        }
        do throws(RSAPrivateKey.Failure) {
            key = try RSAPrivateKey(pem: text, passphrase: password?.reveal())
        } catch {
            throw CredentialSourceFailure(name, "cannot use the key in \(shown(path)): \(error)")
        }
        self.sendsChain = sendsChain
        self.name = name
    }

    /// The token that proves to Entra that we hold the key.
    ///
    /// - Parameters:
    ///   - audience: The URL that it is sent to.
    ///   - id: Of this assertion, used once.
    func assertion(
        client: String, audience: String, id: String, now: Date
    ) throws(CredentialSourceFailure) -> Secret {
        let issued = Int(now.timeIntervalSince1970)
        let header = Header(
            alg: "RS256", typ: "JWT", x5c: sendsChain ? certificates.map(\.base64) : nil,
            x5t: Self.thumbprint(certificates[0]))
        let claims = Claims(aud: audience, exp: issued + Self.life, iat: issued, iss: client, jti: id, sub: client)
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let signed =
                "\([UInt8](try encoder.encode(header)).base64URL).\([UInt8](try encoder.encode(claims)).base64URL)"
            return Secret("\(signed).\(try key.signature(of: signed.utf8).base64URL)")
        } catch {
            throw CredentialSourceFailure(name, "signing with its key failed: \(message("\(error)"))")
        }
    }

    /// By SHA-1, and with its padding: not what RFC 7515 says, but what Microsoft's own library for Python sends.
    private static func thumbprint(_ certificate: [UInt8]) -> String {
        Digest.sha1(certificate).base64.replacing("+", with: "-").replacing("/", with: "_")
    }

    private struct Header: Encodable {
        let alg, typ: String
        let x5c: [String]?
        let x5t: String
    }

    private struct Claims: Encodable {
        let aud: String
        let exp, iat: Int
        let iss, jti, sub: String
    }
}
