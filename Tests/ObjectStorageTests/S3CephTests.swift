import Digests
import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// The ways to one service: the bucket in the path or in the host's name, in clear or over TLS.
private enum CephWay: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case virtualHost = "bucket in the host name"
    case secure = "TLS"
    case secureVirtualHost = "TLS, bucket in the host name"

    var testDescription: String { rawValue }

    /// What a user sets for it.
    func variables(_ server: S3TestServer) throws -> [String: String] {
        let secure = try #require(server.secure)
        var variables = server.environment
        switch self {
        case .virtualHost: variables["AWS_ENDPOINT_URL"] = "http://s3.localhost:\(server.port)"
        case .secure: variables["AWS_ENDPOINT_URL"] = "https://127.0.0.1:\(secure.port)"
        case .secureVirtualHost: variables["AWS_ENDPOINT_URL"] = "https://s3.localhost:\(secure.port)"
        }
        if self != .secure { variables["AWS_S3_FORCE_PATH_STYLE"] = "false" }
        if self != .virtualHost { variables["S3_CA_CERT_FILE"] = secure.authorityFile }
        variables["S3_MAX_PART_SIZE"] = "5MiB"
        return variables
    }
}

/// What of S3 only a whole service has.
@Suite("S3 on Ceph", .enabled(if: TestSelection.allStorages), .timeLimit(.minutes(60)))
struct S3CephTests {
    private func store(
        _ variables: [String: String], prefix: String = uniquePrefix(), bucket: String = "zenith-test"
    ) throws -> S3ObjectStore {
        let location = StorageLocation(scheme: .s3, container: bucket, path: prefix)
        let store = try ObjectStores.open(location, environment: RoleEnvironment(variables, role: nil))
        return try #require(store as? S3ObjectStore)
    }

    @Test("conforms by every way there is", arguments: CephWay.allCases, ConformanceCase.all)
    private func conforms(way: CephWay, one: ConformanceCase) async throws {
        let store = try store(way.variables(await S3TestServer.ceph))
        #expect(store.client.options.endpoint.usesPathStyle == (way == .secure))
        let target = ConformanceTarget(store: store, listedCount: 300)
        try await S3ConformanceTests.run(one, target, service: .ceph)
        #expect(try await store.unfinishedUploads() == [])
    }

    @Test("a service whose authority is not trusted is not spoken to")
    func untrusted() async throws {
        var variables = try await CephWay.secure.variables(S3TestServer.ceph)
        variables["S3_CA_CERT_FILE"] = nil
        let store = try store(variables)
        let failure = await expectFailure(.unavailable) { try await store.get("a", range: nil) }
        #expect(failure?.description.contains("is not trusted") == true)
    }

    @Test("another account's key opens nothing of this one's")
    func otherAccount() async throws {
        let server = try await S3TestServer.ceph
        let prefix = uniquePrefix()
        try await server.store(prefix: prefix).put("a", .bytes([1]), mode: .createOnly)
        let other = server.store(prefix: prefix, keys: FixedCredentials("zenithother", "zenithsecret"))
        await expectFailure(.denied) { try await other.get("a", range: nil) }
        await expectFailure(.denied) { try await other.put("b", .bytes([1]), mode: .overwrite) }
        await expectFailure(.denied) { try await other.list(prefix: "", delimiter: nil, after: nil, limit: 1) }
    }

    // MARK: - How objects are kept

    @Test("a key of our own opens what it wrote, and no other does", arguments: [1000, 6 << 20])
    func customerKey(size: Int) async throws {
        let server = try await S3TestServer.ceph
        let prefix = uniquePrefix()
        var variables = server.environment
        variables["S3_MAX_PART_SIZE"] = "5MiB"
        variables["S3_SSE"] = "AES256"
        variables["S3_SSE_C"] = "An32-byte-key-as-WAL-G-takes-it!"
        let bytes = testBytes(size)
        let store = try store(variables, prefix: prefix)
        try await store.put("a", .bytes(bytes), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == bytes)
        #expect(try await store.get("a", range: 100..<900) == Array(bytes[100..<900]))
        #expect(try await store.head("a").sizeBytes == size)
        let head = try await store.client.perform(
            S3Operation(method: "HEAD", key: "\(prefix)/a", headers: store.customerKeyHeaders))
        #expect(head.response.headers["x-amz-server-side-encryption-customer-algorithm"] == "AES256")
        await expectFailure(.alreadyExists) { try await store.put("a", .bytes([1]), mode: .createOnly) }

        variables["S3_SSE_C"] = [UInt8](repeating: 9, count: 32).base64
        let other = try self.store(variables, prefix: prefix)
        let wrong = await failure { try await other.get("a", range: nil) }
        #expect(wrong?.code == .denied || wrong?.code == .invalid, "\(wrong?.description ?? "")")
        let none = await failure { try await server.store(prefix: prefix).get("a", range: nil) }
        #expect(none?.code == .denied || none?.code == .invalid, "\(none?.description ?? "")")
    }

    @Test(
        "the KMS key that is named encrypts, and the service's refusal of another is told", arguments: [1000, 6 << 20])
    func managedKey(size: Int) async throws {
        let server = try await S3TestServer.ceph
        let prefix = uniquePrefix()
        var variables = server.environment
        variables["S3_MAX_PART_SIZE"] = "5MiB"
        variables["S3_SSE"] = "aws:kms"
        variables["S3_SSE_KMS_ID"] = "test-key"
        let bytes = testBytes(size)
        let store = try store(variables, prefix: prefix)
        try await store.put("a", .bytes(bytes), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == bytes)
        let head = try await store.headResponse("\(prefix)/a")
        #expect(head.headers["x-amz-server-side-encryption"] == "aws:kms")
        #expect(head.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "test-key")

        variables["S3_SSE_KMS_ID"] = "no-such-key"
        let refused = try self.store(variables, prefix: prefix)
        let failure = await failure { try await refused.put("b", .bytes([1]), mode: .createOnly) }
        #expect(failure?.description.contains("no-such-key") == true, "\(failure?.description ?? "")")
        #expect(try await store.exists("b") == false)
    }

    @Test("the storage class is sent and kept, and one that is not there refused", arguments: [1000, 6 << 20])
    func storageClass(size: Int) async throws {
        let server = try await S3TestServer.ceph
        let prefix = uniquePrefix()
        var variables = server.environment
        variables["S3_MAX_PART_SIZE"] = "5MiB"
        variables["WALG_S3_STORAGE_CLASS"] = "STANDARD_IA"
        let store = try store(variables, prefix: prefix)
        let bytes = testBytes(size)
        try await store.put("a", .bytes(bytes), mode: .createOnly)
        #expect(try await store.headResponse("\(prefix)/a").headers["x-amz-storage-class"] == "STANDARD_IA")
        #expect(try await store.get("a", range: nil) == bytes)
        variables["WALG_S3_STORAGE_CLASS"] = "GLACIER"
        let none = try self.store(variables, prefix: prefix)
        await expectFailure(.invalid) { try await none.put("b", .bytes([1]), mode: .createOnly) }
    }

    // MARK: - Roles and sessions

    private func roleVariables(_ server: S3TestServer) -> [String: String] {
        server.environment.merging(["AWS_ROLE_ARN": server.roleARN ?? "", "HOME": "/nonexistent"]) { $1 }
    }

    @Test("a role is assumed with the keys found, and its own keys are used")
    func role() async throws {
        let server = try await S3TestServer.ceph
        let variables = roleVariables(server)
        let store = try store(variables)
        let bytes = testBytes(6 << 20)
        try await store.put("a", .bytes(bytes), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == bytes)
        #expect(store.client.credentialSource?.hasPrefix("role arn:aws:iam:::role/S3Access assumed with") == true)
        // The role admits one account; another, and a wrong secret, are refused in the token service's words.
        for (name, value) in [("AWS_ACCESS_KEY_ID", "zenithother"), ("AWS_SECRET_ACCESS_KEY", "wrong")] {
            let refused = try self.store(variables.merging([name: value]) { $1 })
            let failure = await expectFailure(.denied) { try await refused.get("a", range: nil) }
            #expect(failure?.description.contains("answered 403") == true, "\(failure?.description ?? "")")
        }
    }

    /// Keys of a session that the service gives for so long.
    private func session(
        _ server: S3TestServer, seconds: Int, in directory: TemporaryDirectory
    ) throws -> AWSCredentialChain {
        let environment = RoleEnvironment(try profile(server, seconds: seconds, in: directory), role: nil)
        return AWSCredentialChain(
            environment: environment, region: nil, http: HTTPTransport(), pause: .milliseconds(10), now: { Date() })
    }

    /// What a user sets for a profile whose sessions last so long.
    private func profile(
        _ server: S3TestServer, seconds: Int, in directory: TemporaryDirectory
    ) throws -> [String: String] {
        let profile = """
            [profile role]
            role_arn = \(server.roleARN ?? "")
            source_profile = base
            duration_seconds = \(seconds)
            endpoint_url = \(server.endpoint)
            region = us-east-1
            [profile base]
            aws_access_key_id = \(server.accessKeyID)
            aws_secret_access_key = \(server.secretAccessKey)
            """
        let file = "\(directory.path)/sessions-of-\(seconds)"
        try profile.write(toFile: file, atomically: true, encoding: .utf8)
        return ["AWS_CONFIG_FILE": file, "AWS_PROFILE": "role"]
    }

    /// Gives a session's keys until it is told that they have ended; then those of another one.
    private actor Sessions: AWSCredentialProvider {
        private var current: AWSCredentials
        private let next: AWSCredentialChain
        private(set) var refreshCount = 0

        init(_ first: AWSCredentials, hidesEnd: Bool = false, next: AWSCredentialChain) {
            current = AWSCredentials(
                accessKeyID: first.accessKeyID, secretAccessKey: first.secretAccessKey,
                sessionToken: first.sessionToken, expiration: hidesEnd ? nil : first.expiration, source: first.source)
            self.next = next
        }

        func credentials(refresh: Bool) async throws -> AWSCredentials {
            if refresh {
                refreshCount += 1
                current = try await next.credentials(refresh: false)
            }
            return current
        }
    }

    private func store(_ server: S3TestServer, _ session: any AWSCredentialProvider) -> S3ObjectStore {
        S3ObjectStore(
            location: StorageLocation(scheme: .s3, container: server.bucket, path: uniquePrefix()),
            options: server.options(), credentials: session, transport: HTTPTransport())
    }

    @Test("a session that the service refuses because it has ended is renewed", arguments: [false, true])
    func expiredSession(hidesEnd: Bool) async throws {
        let server = try await S3TestServer.ceph
        let directory = try TemporaryDirectory()
        let short = try await session(server, seconds: 1, in: directory).credentials(refresh: false)
        // The service says when it is over, and no clock of ours.
        let stale = server.store(prefix: "p", keys: FixedCredentials(short))
        while await failure({ try await stale.list(prefix: "", delimiter: nil, after: nil, limit: 1) }) == nil {
            try await Task.sleep(for: .milliseconds(200))
        }
        let long = try session(server, seconds: 900, in: directory)
        for key in ["put", "head"] {
            let sessions = Sessions(short, hidesEnd: hidesEnd, next: long)
            let store = store(server, sessions)
            if key == "put" {
                try await store.put("a", .bytes([1]), mode: .createOnly)
                #expect(try await store.get("a", range: nil) == [1])
                try await store.delete(["a"])
            } else {
                // A HEAD is refused without words.
                await expectFailure(.notFound) { try await store.head("a") }
            }
            #expect(await sessions.refreshCount == 1, "\(key)")
        }
    }

    @Test("a refusal for another reason does not end a session")
    func deniedSession() async throws {
        let server = try await S3TestServer.ceph
        let directory = try TemporaryDirectory()
        let long = try session(server, seconds: 900, in: directory)
        let good = try await long.credentials(refresh: false)
        let wrong = AWSCredentials(
            accessKeyID: good.accessKeyID, secretAccessKey: Secret("wrong"), sessionToken: good.sessionToken,
            expiration: good.expiration, source: good.source)
        let sessions = Sessions(wrong, next: long)
        let store = store(server, sessions)
        await expectFailure(.denied) { try await store.get("a", range: nil) }
        await expectFailure(.denied) { try await store.head("a") }
        #expect(await sessions.refreshCount == 0)
    }

    @Test("sessions that last seconds are renewed one after the other, and nothing is refused")
    func shortSessions() async throws {
        let server = try await S3TestServer.ceph
        let directory = try TemporaryDirectory()
        let store = try store(profile(server, seconds: 10, in: directory))
        var sources: Set<String> = []
        while sources.count < 3 {
            let bytes = [UInt8(sources.count)]
            try await store.put("a", .bytes(bytes), mode: .overwrite)
            #expect(try await store.get("a", range: nil) == bytes)
            // It ends in some letters of the key.
            sources.insert(store.client.credentialSource ?? "")
        }
    }

    private func failure(_ body: () async throws -> some Any) async -> ObjectStoreError? {
        do { _ = try await body() } catch { return error as? ObjectStoreError }
        return nil
    }
}
