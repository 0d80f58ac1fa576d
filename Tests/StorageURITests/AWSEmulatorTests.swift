import Foundation
import StorageURI
import TestSupport
import Testing

/// Carries requests by the program curl.
struct CurlProgram: HTTPFetcher {
    func fetch(_ request: HTTPFetchRequest) async throws -> HTTPFetchResponse {
        var arguments = ["curl", "-sS", "--noproxy", "*", "-m", "10", "-X", request.method, "-w", "\n%{http_code}"]
        for header in request.headers { arguments += ["-H", "\(header.name): \(header.value)"] }
        if !request.body.isEmpty { arguments += ["--data-binary", request.text] }
        let command = arguments + [request.url]
        let result = try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try run(command) }) }
        }
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        guard result.status == 0, let code = lines.last.flatMap({ Int($0) }) else { throw NoAnswer() }
        return HTTPFetchResponse(status: code, body: Array(lines.dropLast().joined(separator: "\n").utf8))
    }
}

/// moto, an emulator of Amazon's services, on a port of its own. It ends when its standard input does, so with us.
final class AWSEmulator {
    static let isInstalled = (try? run(["sh", "-c", "moto_server --help && curl --version"]).status) == 0

    private let input = Pipe()
    let url: String

    init() async throws {
        let port = Int.random(in: 20_000..<32_000)
        url = "http://127.0.0.1:\(port)"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let script = "moto_server -H 127.0.0.1 -p $0 & read -r line; kill $!"
        process.arguments = ["--default-signal", "sh", "-c", script, "\(port)"]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<150 {
            if (try? await CurlProgram().fetch(HTTPFetchRequest(url: "\(url)/moto-api/"))) != nil { return }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw NoAnswer()
    }

    deinit { try? input.fileHandleForWriting.close() }
}

@Suite("credentials of s3: against an emulator", .enabled(if: AWSEmulator.isInstalled))
struct AWSEmulatorTests {
    @Test("the instance's metadata and the token service answer as expected")
    func realAnswers() async throws {
        let emulator = try await AWSEmulator()
        let instance = try await keys(["AWS_EC2_METADATA_SERVICE_ENDPOINT": emulator.url], CurlProgram())
        #expect(instance.accessKeyID == "test-key" && instance.sessionToken?.reveal() == "test-session-token")
        #expect(instance.source == "instance metadata, role default-role")
        #expect(try #require(instance.expiration) > Date() + 3600)

        let arn = ["AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r", "AWS_ENDPOINT_URL_STS": emulator.url]
        let role = try await keys(
            arn.merging(["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"]) { $1 }, CurlProgram())
        #expect(role.accessKeyID.hasPrefix("ASIA") && role.sessionToken != nil)
        #expect(try #require(role.expiration) > Date() + 600)

        let home = try AWSHome()
        defer { withExtendedLifetime(home) {} }
        let file = try home.write("token\n", to: "token")
        let web = try await keys(arn.merging(["AWS_WEB_IDENTITY_TOKEN_FILE": file]) { $1 }, CurlProgram())
        #expect(web.accessKeyID.hasPrefix("ASIA") && web.accessKeyID != role.accessKeyID)
        #expect(try #require(web.expiration) > Date() + 600)
    }
}
