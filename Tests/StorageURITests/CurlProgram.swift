import Foundation
import StorageURI
import TestSupport

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
