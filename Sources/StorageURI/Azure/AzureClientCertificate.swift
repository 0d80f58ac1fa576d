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
        var header: JSONWebToken.Fields = [("alg", .text("RS256")), ("typ", .text("JWT"))]
        if sendsChain { header.append(("x5c", .texts(certificates.map(\.base64)))) }
        header.append(("x5t", .text(Self.thumbprint(certificates[0]))))
        let claims: JSONWebToken.Fields = [
            ("aud", .text(audience)), ("iss", .text(client)), ("sub", .text(client)),
            ("exp", .number(issued + Self.life)), ("iat", .number(issued)), ("jti", .text(id)),
        ]
        do throws(RSAPrivateKey.Failure) {
            return Secret(try JSONWebToken.signed(header: header, claims: claims, space: "", with: key))
        } catch { throw CredentialSourceFailure(name, "cannot sign with its key: \(error)") }
    }

    /// By SHA-1, and with its padding: not what RFC 7515 says, but what Microsoft's own library for Python sends.
    private static func thumbprint(_ certificate: [UInt8]) -> String {
        Digest.sha1(certificate).base64.replacing("+", with: "-").replacing("/", with: "_")
    }
}
