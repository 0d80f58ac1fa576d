import Foundation
import StorageURI
import Testing

/// Requests whose signature somebody else computed: Amazon's published test suite and S3 reference, and botocore.
struct SignatureCase: Decodable, CustomTestStringConvertible, Sendable {
    let name, origin, service, region, date, accessKey, secretKey, method, host, path, payloadHash, signature: String
    let token: String?
    /// Path and query as they were sent, where the case is a whole request.
    let target: String?
    let query, headers: [[String]]

    var testDescription: String { "\(origin): \(name)" }

    static let all: [SignatureCase] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Golden/signatures.json")
        guard let data = try? Data(contentsOf: file) else { return [] }
        return (try? JSONDecoder().decode([SignatureCase].self, from: data)) ?? []
    }()

    var request: SignatureV4.Request {
        SignatureV4.Request(
            method: method, host: host, path: path, query: query.map { ($0[0], $0[1]) },
            headers: headers.map { ($0[0], $0[1]) }, payloadHash: payloadHash)
    }

    func headersToAdd() throws -> [String: String] {
        let credentials = AWSCredentials(
            accessKeyID: accessKey, secretAccessKey: Secret(secretKey), sessionToken: token.map { Secret($0) },
            source: "test")
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        let added = SignatureV4(region: region, service: service).headers(
            for: request, credentials: credentials, date: try #require(formatter.date(from: date)))
        return Dictionary(uniqueKeysWithValues: added.map { ($0.name, $0.value) })
    }
}

@Suite("Signature Version 4")
struct SignatureV4Tests {
    @Test("the golden file is there and holds all three origins")
    func goldenFile() {
        let origins = Set(SignatureCase.all.map { $0.origin.split(separator: " ")[0] })
        #expect(origins == ["aws-sig-v4-test-suite", "Amazon", "botocore"])
        #expect(SignatureCase.all.count >= 65)
    }

    @Test("signatures are those that Amazon and botocore compute", arguments: SignatureCase.all)
    func signature(_ example: SignatureCase) throws {
        let added = try example.headersToAdd()
        let authorization = try #require(added["Authorization"])
        #expect(authorization.hasSuffix("Signature=\(example.signature)"))
        let credential = "\(example.accessKey)/\(example.date.prefix(8))/\(example.region)/\(example.service)"
        #expect(authorization.hasPrefix("AWS4-HMAC-SHA256 Credential=\(credential)/aws4_request, SignedHeaders="))
        #expect(added["x-amz-date"] == example.date)
        #expect(added["x-amz-security-token"] == example.token)
        #expect((added["x-amz-content-sha256"] != nil) == (example.service == "s3"))
        guard let target = example.target else { return }
        // The order of a query's items is everyone's own, and so is the "=" of one without a value.
        func parts(_ target: String) -> (path: String, items: Set<String>) {
            let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
            let items = parts.dropFirst().flatMap { $0.split(separator: "&") }
            return (parts[0], Set(items.map { $0.contains("=") ? String($0) : "\($0)=" }))
        }
        #expect(parts(example.request.target) == parts(target))
    }

    @Test("one changed input changes the signature")
    func sensitivity() throws {
        let credentials = AWSCredentials(accessKeyID: "AKID", secretAccessKey: Secret("secret"), source: "test")
        let base = SignatureV4.Request(method: "GET", host: "h", path: "/a", query: [("q", "1")])
        let date = Date(timeIntervalSince1970: 1_700_000_000)
        func sign(_ request: SignatureV4.Request, _ date: Date, _ region: String = "r") -> String? {
            SignatureV4(region: region, service: "s3").headers(for: request, credentials: credentials, date: date)
                .last?.value.split(separator: "=").last.map(String.init)
        }
        var variants: [SignatureV4.Request] = []
        for change in 0..<6 {
            var request = base
            switch change {
            case 0: request.method = "HEAD"
            case 1: request.host = "g"
            case 2: request.path = "/A"
            case 3: request.query = [("q", "2")]
            case 4: request.headers = [("range", "bytes=0-1")]
            default: request.payloadHash = SignatureV4.unsignedPayload
            }
            variants.append(request)
        }
        var signatures = variants.map { sign($0, date) }
        signatures += [sign(base, date), sign(base, date + 1), sign(base, date, "s")]
        #expect(Set(signatures).count == 9)
    }

    @Test("what a proxy may change is not signed, and the target is what is signed")
    func unsignedHeadersAndTarget() throws {
        let credentials = AWSCredentials(accessKeyID: "AKID", secretAccessKey: Secret("secret"), source: "test")
        let request = SignatureV4.Request(
            method: "GET", host: "h", path: "/a b", query: [("z", ""), ("a", "1 +")],
            headers: [("User-Agent", "x"), ("Connection", "close"), ("Expect", "100-continue"), ("If-Match", "*")])
        #expect(request.target == "/a%20b?a=1%20%2B&z=")
        let added = SignatureV4(region: "r", service: "s3").headers(
            for: request, credentials: credentials, date: Date(timeIntervalSince1970: 0))
        let authorization = try #require(added.last?.value)
        #expect(authorization.contains("SignedHeaders=host;if-match;x-amz-content-sha256;x-amz-date,"))
        #expect(added.first?.value == "19700101T000000Z")
    }
}
