import Foundation
import StorageURI
import TestSupport
import Testing

@testable import ObjectStorage

/// What only Amazon's own surroundings have, by an emulator of them.
@Suite("S3 in Amazon's surroundings", .enabled(if: TestSelection.allStorages), .timeLimit(.minutes(10)))
struct AWSEmulatorTests {
    private func keys(_ variables: [String: String]) async throws -> AWSCredentials {
        try await AWSCredentialChain.make(
            environment: RoleEnvironment(variables, role: nil), region: "us-east-1", http: HTTPTransport(),
            programs: nil
        ).credentials(refresh: false)
    }

    private func store(_ variables: [String: String]) throws -> S3ObjectStore {
        let location = StorageLocation(scheme: .s3, container: "zenith-test", path: uniquePrefix())
        let store = try ObjectStores.open(location, environment: RoleEnvironment(variables, role: nil))
        return try #require(store as? S3ObjectStore)
    }

    @Test("the instance's metadata give the keys of its role, for a session token only")
    func instance() async throws {
        let server = try await S3TestServer.ministack
        let found = try await keys(["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint])
        #expect(found.source == "instance metadata, role ministack-instance-role")
        #expect(!found.accessKeyID.isEmpty && found.sessionToken != nil)
        #expect(try #require(found.expiration) > Date() + 600)
        // The emulator turns away who comes without one.
        let plain = try await HTTPTransport().fetch(
            HTTPFetchRequest(url: "\(server.endpoint)/latest/meta-data/iam/security-credentials/"))
        #expect(plain.status == 401)
    }

    @Test("the container's service gives keys")
    func container() async throws {
        let server = try await S3TestServer.ministack
        let url = "\(server.endpoint)/v2/credentials/zenith"
        let found = try await keys(["AWS_CONTAINER_CREDENTIALS_FULL_URI": url])
        #expect(found.source == "container credentials of AWS_CONTAINER_CREDENTIALS_FULL_URI")
        #expect(!found.accessKeyID.isEmpty && found.sessionToken != nil && found.expiration != nil)
    }

    @Test("a role named by a variable is assumed, and its keys are good for its time")
    func role() async throws {
        let server = try await S3TestServer.ministack
        let variables = server.environment.merging([
            "AWS_ROLE_ARN": server.roleARN ?? "", "AWS_ROLE_SESSION_NAME": "zenith-test",
        ]) { $1 }
        let found = try await keys(variables)
        #expect(found.accessKeyID.hasPrefix("ASIA") && found.sessionToken != nil)
        #expect(try #require(found.expiration) > Date() + 600)
        let store = try store(variables)
        try await store.put("a", .bytes([1, 2, 3]), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == [1, 2, 3])
        let wrong = try self.store(variables.merging(["AWS_SECRET_ACCESS_KEY": "wrong"]) { $1 })
        let failure = await expectFailure(.denied) { try await wrong.get("a", range: nil) }
        #expect(failure?.description.contains("answered 403") == true, "\(failure?.description ?? "")")
    }

    @Test("a web identity is exchanged for keys that S3 takes")
    func webIdentity() async throws {
        let server = try await S3TestServer.ministack
        let directory = try TemporaryDirectory()
        let file = directory.path + "/token"
        try "the.web.token\n".write(toFile: file, atomically: true, encoding: .utf8)
        let variables = [
            "AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": server.region, "AWS_WEB_IDENTITY_TOKEN_FILE": file,
            "AWS_ROLE_ARN": server.roleARN ?? "",
        ]
        let store = try store(variables)
        try await store.put("a", .bytes([1, 2, 3]), mode: .createOnly)
        #expect(try await store.get("a", range: nil) == [1, 2, 3])
        #expect(store.client.credentialSource?.contains("web identity of AWS_WEB_IDENTITY_TOKEN_FILE") == true)
    }

    @Test("a redirect to the bucket's region is followed")
    func region() async throws {
        let server = try await S3TestServer.ministack
        var variables = server.environment
        variables["AWS_REGION"] = "eu-west-1"
        // What the service answers, by itself.
        let request = SignatureV4.Request(method: "GET", host: server.authority, path: "/\(server.bucket)")
        let headers = SignatureV4(region: "eu-west-1", service: "s3").headers(
            for: request, credentials: FixedCredentials(server.accessKeyID, server.secretAccessKey).keys, date: Date())
        let answer = try await HTTPTransport().send(
            HTTPRequest(url: "\(server.endpoint)/\(server.bucket)", headers: headers))
        #expect(answer.status == 301)
        for body in [testBytes(10), testBytes(6 << 20)] {
            let store = try store(variables.merging(["S3_MAX_PART_SIZE": "5MiB"]) { $1 })
            await expectFailure(.notFound) { try await store.head("none") }
            try await store.put("a", .bytes(body), mode: .createOnly)
            #expect(try await store.get("a", range: nil) == body)
            #expect(try await store.list(prefix: "", delimiter: nil, after: nil, limit: 9).objects.count == 1)
        }
    }
}
