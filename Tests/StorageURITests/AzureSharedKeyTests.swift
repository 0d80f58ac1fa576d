import Digests
import Foundation
import Testing

@testable import StorageURI

/// What Microsoft's own libraries for Python send: made by `Golden/azure-signatures.py`.
struct AzureGolden: Decodable, Sendable {
    struct Request: Decodable, Sendable, CustomTestStringConvertible {
        let name, account, method, path, query, container, blob, authorization: String
        let bodyBytes: Int
        let headers: [[String]]
        var testDescription: String { "\(name) \(blob) at \(account)" }
    }

    struct Token: Decodable, Sendable, CustomTestStringConvertible {
        let name, token, path, query: String
        var testDescription: String { "\(name) \(path)" }
    }

    struct Assertion: Decodable, Sendable {
        let sendsChain: Bool
        let assertion: String
    }

    let key: String
    let requests: [Request]
    let tokens: [Token]
    let assertions: [Assertion]

    static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)").path
    }

    static let shared: AzureGolden? = {
        guard let data = FileManager.default.contents(atPath: path("azure-signatures.json")) else { return nil }
        return try? JSONDecoder().decode(AzureGolden.self, from: data)
    }()
}

@Suite("signatures of azure")
struct AzureSharedKeyTests {
    @Test("the golden file is there and whole")
    func goldenFile() throws {
        let golden = try #require(AzureGolden.shared)
        #expect(golden.requests.count == 90 && golden.tokens.count == 6 && golden.assertions.count == 2)
    }

    @Test("requests are signed as Microsoft's library signs them", arguments: AzureGolden.shared?.requests ?? [])
    func sharedKey(_ request: AzureGolden.Request) throws {
        let query = try request.query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: String(parts[0]), value: try #require(PercentEncoding.decode(parts[1])))
        }
        var signed = AzureSharedKey.Request(
            method: request.method, path: request.path, query: query,
            headers: request.headers.map { ($0[0], $0[1]) }, bodyBytes: request.bodyBytes)
        let signer = AzureSharedKey(account: request.account, key: Secret(try #require(AzureGolden.shared).key))
        #expect(signer.authorization(for: signed) == request.authorization)
        // In whatever order and case the parts are given.
        signed.query.reverse()
        signed.headers = signed.headers.reversed().map { ($0.name.uppercased(), " \($0.value) ") }
        #expect(signer.authorization(for: signed) == request.authorization)
        signed.bodyBytes += 1
        #expect(signer.authorization(for: signed) != request.authorization)
    }

    @Test("paths are encoded as Microsoft's library encodes them", arguments: AzureGolden.shared?.requests ?? [])
    func paths(_ request: AzureGolden.Request) {
        let isEmulator = request.account == "devstoreaccount1"
        let container = (isEmulator ? "/devstoreaccount1/" : "/") + PercentEncoding.encode(request.container)
        let blob = request.blob.isEmpty ? "" : "/\(PercentEncoding.encode(request.blob, keeping: "/"))"
        #expect(request.path == container + blob)
    }

    @Test(
        "shared access signatures go out as Microsoft's library sends them", arguments: AzureGolden.shared?.tokens ?? []
    )
    func tokens(_ example: AzureGolden.Token) throws {
        for text in [example.token, "?\(example.token)", "\(example.token)&"] {
            #expect(try AzureSignatureToken(Secret(text)).query.reveal() == example.query)
        }
        // Decoded by whatever handed it on.
        let decoded = try #require(PercentEncoding.decode(example.token))
        #expect(try AzureSignatureToken(Secret(decoded)).query.reveal() == example.query)
    }

    @Test("assertions are those that Microsoft's library makes", arguments: AzureGolden.shared?.assertions ?? [])
    func assertions(_ example: AzureGolden.Assertion) throws {
        let certificate = try AzureClientCertificate(
            path: AzureGolden.path("azure-client.pem"), named: "X", password: nil, sendsChain: example.sendsChain)
        let made = try certificate.assertion(
            client: "zenith-client", audience: "https://login.microsoftonline.com/zenith-tenant/oauth2/v2.0/token",
            id: "11111111-2222-3333-4444-555555555555", now: Date(timeIntervalSince1970: 1_790_000_000))
        #expect(made.reveal() == example.assertion)
    }
}
