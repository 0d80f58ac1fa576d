import Digests
import Foundation
import Testing

@testable import StorageURI

/// An assertion that Google's own library has signed.
struct GoogleSignatureCase: Decodable, Sendable, CustomTestStringConvertible {
    let email, scope, assertion: String
    let keyID: String?
    let issuedAt: Int

    var testDescription: String { email }

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    static let all: [GoogleSignatureCase] = {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent("Golden/google-signatures.json")) else {
            return []
        }
        return (try? JSONDecoder().decode([GoogleSignatureCase].self, from: data)) ?? []
    }()

    /// The example key of RFC 7515, in PEM.
    static func exampleKey() throws -> String {
        let path = "../DigestsTests/Golden/rfc7515-pkcs8.pem"
        return try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
    }
}

@Suite("assertions of service accounts")
struct GoogleSignatureTests {
    @Test("the golden file is there")
    func goldenFile() { #expect(GoogleSignatureCase.all.count == 4) }

    @Test("are byte for byte those of Google's own library", arguments: GoogleSignatureCase.all)
    func assertion(one: GoogleSignatureCase) throws {
        let key = try RSAPrivateKey(pem: try GoogleSignatureCase.exampleKey())
        let assertion = try GoogleTokenExchange.assertion(
            email: one.email, keyID: one.keyID, key: key, scope: one.scope, issuedAt: one.issuedAt)
        #expect(assertion == one.assertion)
    }
}
