import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// Credentials that never change, or change when asked anew.
struct FixedAlibabaCredentials: AlibabaCredentialProvider {
    let keys: AlibabaCredentials
    var renewed: AlibabaCredentials?

    init(_ id: String, _ secret: String, token: String? = nil, renewedToken: String? = nil) {
        func keys(_ token: String?) -> AlibabaCredentials {
            AlibabaCredentials(
                accessKeyID: id, accessKeySecret: Secret(secret), securityToken: token.map { Secret($0) },
                source: "the test")
        }
        self.keys = keys(token)
        renewed = renewedToken.map { keys($0) }
    }

    func credentials(refresh: Bool) async throws -> AlibabaCredentials { refresh ? renewed ?? keys : keys }
}

/// The scripted stand-in for OSS, started once for all tests of a process.
struct OSSTestServer: Sendable {
    let authority: String
    /// The same, with a clock that is an hour ahead.
    let aheadAuthority: String
    /// The Python that has the vendor's client.
    let python: String

    let accessKeyID = "zenithkey"
    let accessKeySecret = "zenithsecret"
    let region = "cn-hangzhou"
    let bucket = "zenith-test"

    private static let started = Task {
        let server = try await TestServer.start("ossscripted", ports: 2)
        return OSSTestServer(
            authority: server.authority, aheadAuthority: "127.0.0.1:\(server.ports[1])",
            python: server.values["python"] ?? "python3")
    }
    static var shared: OSSTestServer { get async throws { try await started.value } }

    /// What a program that talks to it needs in its environment.
    var environment: [String: String] {
        [
            "OSS_ENDPOINT": "http://\(authority)", "OSS_ACCESS_KEY_ID": accessKeyID,
            "OSS_ACCESS_KEY_SECRET": accessKeySecret, "OSS_REGION": region,
        ]
    }

    /// Settings for this server, for tests: quick to give up, small parts.
    func options(authority: String? = nil, bucket: String? = nil) -> OSSOptions {
        var options = OSSOptions(
            endpoint: OSSEndpoint(scheme: "http", authority: authority ?? self.authority, style: .path),
            bucket: bucket ?? self.bucket, region: region)
        options.partSizeBytes = 1 << 20
        options.retries.minimumDelay = .milliseconds(10)
        options.retries.minimumThrottlingDelay = .milliseconds(50)
        options.retries.maximumRetries = 4
        return options
    }

    func store(
        prefix: String, at authority: String? = nil, transport: HTTPTransport = HTTPTransport(),
        keys: FixedAlibabaCredentials? = nil, bucket: String? = nil, _ adjust: (inout OSSOptions) -> Void = { _ in }
    ) -> OSSObjectStore {
        var options = options(authority: authority, bucket: bucket)
        adjust(&options)
        return OSSObjectStore(
            location: StorageLocation(scheme: .oss, container: options.bucket, path: prefix), options: options,
            credentials: keys ?? FixedAlibabaCredentials(accessKeyID, accessKeySecret), transport: transport)
    }
}

/// The two versions of the signature: a test's arguments.
enum OSSSignatureVersion: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case v4, v1
    var testDescription: String { rawValue }

    func apply(_ options: inout OSSOptions) { if self == .v1 { options.region = nil } }
}

extension OSSObjectStore {
    /// The uploads that were begun below the prefix and neither joined nor removed.
    func unfinishedUploads() async throws -> [String] {
        let operation = OSSOperation(method: "GET", query: [("uploads", ""), ("prefix", location.path)])
        let root = XMLElement.parse(try await client.perform(operation).response.body)
        return root?.all("Upload").compactMap { $0["Key"] } ?? []
    }
}
