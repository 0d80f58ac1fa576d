import FoundationEssentials

/// The transport of credential services, with retries.
struct CredentialHTTP: Sendable {
    let fetcher: any HTTPFetcher
    /// The wait before the first retry; it doubles.
    var pause: Duration = .milliseconds(200)

    /// Sends a request until there is an answer that will not change by itself.
    ///
    /// - Parameter passing: Statuses of the service's own, besides the usual ones, that may be others at the next try.
    func send(
        _ request: HTTPFetchRequest, from source: String, attempts: Int = 3, passing: Set<Int> = []
    ) async throws -> HTTPFetchResponse {
        try await send(from: source, attempts: attempts, passing: passing) { request }
    }

    /// The same for a request that is made anew for each try, as one with a number that is taken only once.
    func send(
        from source: String, attempts: Int = 3, passing: Set<Int> = [], _ request: () -> HTTPFetchRequest
    ) async throws -> HTTPFetchResponse {
        var attempt = 1
        while true {
            var problem: String
            do {
                let response = try await fetcher.fetch(request())
                let mayPass = response.status == 429 || response.status >= 500 || passing.contains(response.status)
                guard mayPass, attempt < attempts else { return response }
            } catch {
                if error is CancellationError || Task.isCancelled { throw CancellationError() }
                problem = message("\(error)")
                if attempt >= attempts { throw CredentialSourceFailure(source, "no answer: \(problem)") }
            }
            try await Task.sleep(for: pause * (1 << (attempt - 1)))
            attempt += 1
        }
    }
}

/// Text of a service or library as a message may show it: on one line, not long, without the secrets that were sent.
func message(_ text: String, hiding secrets: [Secret] = []) -> String {
    var text = text
    for secret in secrets where !secret.isEmpty {
        text = text.replacing(secret.reveal(), with: "<redacted>")
    }
    let words = text.unicodeScalars.map { $0.isUnprintable ? " " : String($0) }.joined().split(separator: " ")
    let line = words.joined(separator: " ")
    return line.unicodeScalars.count > 300 ? "\(line.unicodeScalars.prefix(300))…" : line
}

/// The times that services give: `2026-01-01T00:00:00Z`, with or without parts of a second.
func serviceTime(_ text: String) -> Date? {
    if let date = try? Date(text, strategy: .iso8601) { return date }
    return try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}
