import Digests
import Foundation
import Testing

@testable import StorageURI

/// What somebody else signed: the vendor's clients, and examples that the vendor has published. `Golden/oss-signatures.py`
/// makes the file.
struct OSSGolden: Decodable {
    struct Request: Decodable, CustomTestStringConvertible, Sendable {
        let name, origin, version, region, accessKey, secretKey, method, bucket, authorization: String
        let time: Double
        let token, key: String?
        let items, headers: [[String]]
        let additional: [String]

        var testDescription: String { "\(origin) \(version): \(name)" }

        var request: OSSRequest {
            OSSRequest(
                method: method, bucket: bucket, key: key, items: items.map { ($0[0], $0[1]) },
                headers: headers.map { ($0[0], $0[1]) })
        }

        var credentials: AlibabaCredentials {
            AlibabaCredentials(
                accessKeyID: accessKey, accessKeySecret: Secret(secretKey), securityToken: token.map { Secret($0) },
                source: "test")
        }

        var added: [String: String] {
            let date = Date(timeIntervalSince1970: time)
            let signer = OSSSignatureV4(region: region, additionalHeaders: Set(additional))
            let headers =
                version == "v4"
                ? signer.headers(for: request, credentials: credentials, date: date)
                : OSSSignatureV1.headers(for: request, credentials: credentials, date: date)
            return Dictionary(uniqueKeysWithValues: headers.map { ($0.name, $0.value) })
        }
    }

    struct Call: Decodable, Sendable {
        let fields: [[String]]
        let accessKey, secretKey, nonce, signature: String
        let token: String?
    }

    let requests: [Request]
    let calls: [Call]

    static let shared: OSSGolden? = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Golden/oss-signatures.json")
        return (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode(OSSGolden.self, from: $0) }
    }()
}

@Suite("signatures of OSS")
struct OSSSignatureTests {
    @Test("the golden file is there, with all origins and versions")
    func goldenFile() throws {
        let golden = try #require(OSSGolden.shared)
        let kinds = Set(golden.requests.map { "\($0.origin) \($0.version)" })
        let clients = ["oss2", "alibabacloud-oss-v2", "published"]
        #expect(kinds == Set(clients.flatMap { ["\($0) v4", "\($0) v1"] }))
        #expect(golden.requests.count > 200 && golden.calls.count == 2)
    }

    @Test("requests are signed as the vendor's clients sign them", arguments: OSSGolden.shared?.requests ?? [])
    func signature(_ example: OSSGolden.Request) throws {
        let added = example.added
        let authorization = try #require(added["Authorization"])
        // The older client writes the same fields with spaces between them.
        #expect(authorization == example.authorization.replacing(", ", with: ","))
        #expect(added["x-oss-security-token"] == example.token)
        #expect((added["x-oss-date"] != nil) == (example.version == "v4"))
    }

    @Test("the documentation's example of version 4, as far as it agrees with itself")
    func documented() {
        let request = OSSRequest(
            method: "PUT", bucket: "examplebucket", key: "exampleobject",
            headers: [
                ("Content-Disposition", "attachment"), ("Content-Length", "3"),
                ("Content-MD5", "ICy5YqxZB1uWSwcVLSNLcA=="), ("Content-Type", "text/plain"),
            ])
        let signer = OSSSignatureV4(
            region: "cn-hangzhou", additionalHeaders: ["content-disposition", "content-length"])
        let timestamp = "20250411T064124Z"
        let canonical = signer.canonicalRequest(
            request, added: [("x-oss-date", timestamp), ("x-oss-content-sha256", "UNSIGNED-PAYLOAD")])
        let text = signer.stringToSign(canonical, timestamp: timestamp)
        #expect(text.hasSuffix("\nc46d96390bdbc2d739ac9363293ae9d710b14e48081fcb22cd8ad54b63136eca"))
        // The signing key shown there does not follow from the secret shown there; the signature follows from the key.
        let key = [UInt8](hexadecimal: "3543b7686e65eda71e5e5ca19d548d78423c37e8ddba4dc9d83f90228b457c76") ?? []
        #expect(
            Digest.hmacSHA256(key: key, text.utf8).hexadecimal
                == "053edbf550ebd239b32a9cdfd93b0b2b3f2d223083aa61f75e9ac16856d61f23")
    }

    @Test("one changed input changes the signature")
    func sensitivity() {
        let keys = AlibabaCredentials(accessKeyID: "a", accessKeySecret: Secret("s"), source: "test")
        let base = OSSRequest(
            method: "GET", bucket: "b", key: "k", items: [("uploadId", "1")], headers: [("x-oss-meta-a", "1")])
        var requests = [base]
        for change in 0..<5 {
            var request = base
            switch change {
            case 0: request.method = "HEAD"
            case 1: request.bucket = "c"
            case 2: request.key = "K"
            case 3: request.items = [("uploadId", "2")]
            default: request.headers = [("x-oss-meta-a", "2")]
            }
            requests.append(request)
        }
        let date = Date(timeIntervalSince1970: 1_700_000_000)
        let v4 = requests.map { OSSSignatureV4(region: "r").headers(for: $0, credentials: keys, date: date) }
        let v1 = requests.map { OSSSignatureV1.headers(for: $0, credentials: keys, date: date) }
        #expect(Set((v4 + v1).compactMap { $0.last?.value }).count == 12)
        let later = OSSSignatureV4(region: "r").headers(for: base, credentials: keys, date: date + 1)
        let elsewhere = OSSSignatureV4(region: "s").headers(for: base, credentials: keys, date: date)
        #expect(Set([v4[0], later, elsewhere].compactMap { $0.last?.value }).count == 3)
    }

    @Test("calls of STS are signed as the vendor's library signs them")
    func calls() throws {
        for call in try #require(OSSGolden.shared).calls {
            let keys = AlibabaCredentials(
                accessKeyID: call.accessKey, accessKeySecret: Secret(call.secretKey),
                securityToken: call.token.map { Secret($0) }, source: "test")
            let added = AlibabaSTSClient.signed(
                call.fields.map { ($0[0], $0[1]) }, with: keys, nonce: call.nonce)
            #expect(added.last?.name == "Signature" && added.last?.value == call.signature)
        }
    }

    @Test(
        "dates are written as HTTP has them",
        arguments: [
            (784_111_777.0, "Sun, 06 Nov 1994 08:49:37 GMT"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (1_735_689_600, "Wed, 01 Jan 2025 00:00:00 GMT"),
        ])
    func dates(seconds: Double, text: String) {
        #expect(OSSSignatureV1.httpDate(Date(timeIntervalSince1970: seconds)) == text)
    }
}
