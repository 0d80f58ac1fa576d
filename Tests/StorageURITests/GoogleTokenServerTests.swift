import Foundation
import TestSupport
import Testing

@testable import StorageURI

/// Token services that verify what they get by Google's own library.
@Suite("credentials of gs: against token services")
struct GoogleTokenServerTests {
    private func token(_ file: String) async throws -> GoogleToken {
        let server = try await GoogleServers.tokens
        let path = try #require(server.values["CREDENTIALS"]) + "/\(file)"
        return try await token(["GOOGLE_APPLICATION_CREDENTIALS": path])
    }

    private func token(_ variables: [String: String]) async throws -> GoogleToken {
        let environment = RoleEnvironment(variables, role: nil)
        let settings = try GoogleCloudSettings(environment: environment)
        let chain = GoogleCredentialChain.make(environment: environment, settings: settings, http: CurlProgram())
        return try await chain.token(refresh: false)
    }

    @Test(
        "every kind of file gives a token",
        arguments: [
            ("service.json", "service account zenith@zenith-test.iam.gserviceaccount.com"),
            ("user.json", "user, login "),
            ("federated-file.json", "workload identity federation, //iam.googleapis.com/projects/1/"),
            ("federated-url.json", "service account zenith@zenith-test.iam.gserviceaccount.com, impersonated"),
            ("impersonated.json", "service account zenith@zenith-test.iam.gserviceaccount.com, impersonated"),
        ])
    func accepted(file: String, identity: String) async throws {
        let found = try await token(file)
        #expect(found.accessToken?.reveal().hasPrefix("zenith-") == true)
        #expect(found.source.hasPrefix("GOOGLE_APPLICATION_CREDENTIALS (\(identity)"), "\(found.source)")
        #expect(try #require(found.expiration) > Date() + 3000)
    }

    @Test("a wrong key is refused", arguments: ["wrong.json", "federated-wrong.json"])
    func refused(file: String) async throws {
        let error = await #expect(throws: CredentialError.self) { try await token(file) }
        let text = error?.description ?? ""
        #expect(text.contains("answered 400 invalid_grant: Invalid JWT"), "\(text)")
    }

    @Test("an instance hands out its account's")
    func instance() async throws {
        let server = try await GoogleServers.tokens
        let found = try await token(["GCE_METADATA_HOST": server.authority])
        #expect(found.source == "instance metadata (service account zenith@zenith-test.iam.gserviceaccount.com)")
        #expect(found.accessToken?.reveal().hasPrefix("zenith-") == true)
    }
}
