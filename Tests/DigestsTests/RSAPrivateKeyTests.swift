import Digests
import Foundation
import Testing

/// The example key and signature of RFC 7515, appendix A.2. The golden files hold that key in the forms that `openssl`
/// writes (passphrase: `open sesame`), a certificate of it, and a key of another kind.
@Suite("RSA keys")
struct RSAPrivateKeyTests {
    private static let message =
        "eyJhbGciOiJSUzI1NiJ9"
        + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    private static let signature =
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
        + "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
        + "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
        + "cN_IoypGlUPQGe77Rw"

    private static func golden(_ name: String) throws -> String {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
        return try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    }

    @Test(
        "signs as the published example, whatever form the key is in",
        arguments: [
            ("rfc7515-pkcs8.pem", nil), ("rfc7515-pkcs1.pem", nil), ("rfc7515-pkcs8.pem", "not needed"),
            ("rfc7515-encrypted.pem", "open sesame"),
        ] as [(String, String?)])
    func example(file: String, passphrase: String?) throws {
        let key = try RSAPrivateKey(pem: try Self.golden(file), passphrase: passphrase)
        #expect(try key.signature(of: Self.message.utf8).base64URL == Self.signature)
        // The same again: signing leaves nothing behind.
        #expect(try key.signature(of: Self.message.utf8).base64URL == Self.signature)
        #expect(try key.signature(of: "".utf8).base64URL != Self.signature)
    }

    @Test("a key is found behind a certificate in the same file")
    func behindCertificate() throws {
        let text = try Self.golden("rfc7515-certificate.pem") + Self.golden("rfc7515-pkcs8.pem")
        #expect(try RSAPrivateKey(pem: text).signature(of: Self.message.utf8).base64URL == Self.signature)
    }

    @Test("what is no usable key is refused with its reason")
    func refusals() throws {
        func expect(_ failure: RSAPrivateKey.Failure, _ pem: String, _ passphrase: String? = nil) {
            #expect(throws: failure) { try RSAPrivateKey(pem: pem, passphrase: passphrase) }
        }
        let whole = try Self.golden("rfc7515-pkcs8.pem")
        for text in ["", "not a key", String(whole.prefix(400)), try Self.golden("rfc7515-certificate.pem")] {
            expect(.notAKey, text)
        }
        expect(.notAKey, whole.replacing("MIIE", with: "AAAA"))
        expect(.notRSA, try Self.golden("elliptic.pem"))
        let locked = try Self.golden("rfc7515-encrypted.pem")
        expect(.locked, locked)
        expect(.locked, locked, "open barley")
    }

    @Test("thumbprints of a certificate are those that openssl prints")
    func certificates() throws {
        let text = try Self.golden("rfc7515-certificate.pem")
        let found = PEM.certificates(in: try text + Self.golden("rfc7515-pkcs8.pem") + text)
        #expect(found.count == 2)
        let first = try #require(found.first)
        #expect(Digest.sha1(first).hexadecimal == "9dd9205359b842d9850bb9c8f734be3722a70e05")
        #expect(
            Digest.sha256(first).hexadecimal == "ec105c88344cb93cd55bd607b7882d84ddc7aba4c4d6703fb436fd152bcc97ae")
        #expect(PEM.certificates(in: "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----").isEmpty)
        #expect(PEM.certificates(in: "").isEmpty)
    }
}
