import StorageURI
import Synchronization

/// Sends requests about one bucket, each with a token, and repeats what can be repeated.
final class GoogleCloudClient: Sendable {
    let options: GoogleCloudOptions
    private let tokens: any GoogleTokenProvider
    let transport: HTTPTransport
    /// Where the token last used came from, for messages.
    private let lastSource = Mutex<String?>(nil)

    init(options: GoogleCloudOptions, tokens: any GoogleTokenProvider, transport: HTTPTransport) {
        self.options = options
        self.tokens = tokens
        self.transport = transport
    }

    /// Where the credentials in use come from. Nil before the first request.
    var credentialSource: String? { lastSource.withLock(\.self) }

    /// A request to an object, or with an empty path to the bucket's list of objects.
    func target(_ fullKey: String?, _ query: [(name: String, value: String)] = []) -> String {
        // The whole name is one segment of the path: its slashes are encoded too.
        let path = fullKey.map { "/o/\(PercentEncoding.encode($0))" } ?? "/o"
        return GoogleCloudOperation.target(bucket: options.bucket, path, query: query)
    }

    /// Where a new object goes.
    func uploadTarget(_ query: [(name: String, value: String)]) -> String {
        GoogleCloudOperation.target("/upload", bucket: options.bucket, "/o", query: query)
    }

    /// Sends a request until it succeeds, fails for good, or the retries are used up.
    func perform(_ operation: GoogleCloudOperation) async throws(ServiceFailure) -> HTTPResponse {
        var retrier = Retrier(policy: options.retries)
        while true {
            do throws(ServiceFailure) { return try await attempt(operation) } catch {
                try await retrier.wait(after: error)
            }
        }
    }

    /// Sends a request once; again only where the token was refused, with a new one. An upload that waits for more is a
    /// success.
    func attempt(_ operation: GoogleCloudOperation) async throws(ServiceFailure) -> HTTPResponse {
        do throws(ServiceFailure) { return try await exchange(operation, refresh: false) } catch {
            guard error.status == 401 else { throw error }
        }
        return try await exchange(operation, refresh: true)
    }

    /// The status of an upload that waits for more.
    static let resumeIncomplete = 308

    private func exchange(
        _ operation: GoogleCloudOperation, refresh: Bool
    ) async throws(ServiceFailure) -> HTTPResponse {
        let token: GoogleToken
        do { token = try await tokens.token(refresh: refresh) } catch {
            if error is CancellationError { throw .cancelled(error) }
            throw ServiceFailure(.denied, "no credentials: \(error)")
        }
        lastSource.withLock { $0 = token.source }
        var headers = operation.headers
        if let bearer = token.accessToken { headers.append(("Authorization", "Bearer \(bearer.reveal())")) }
        if let project = options.quotaProject ?? token.quotaProject {
            headers.append(("x-goog-user-project", project))
        }
        let base = operation.isSession ? options.origin : options.endpoint
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await transport.send(
                HTTPRequest(
                    method: operation.method, url: base + operation.target, headers: headers, body: operation.body,
                    responseLimit: operation.responseLimit, deadline: options.requestTimeout,
                    isRepeatable: operation.isRepeatable))
        } catch {
            throw ServiceFailure(error, host: options.authority)
        }
        let isWaiting = operation.isSession && response.status == Self.resumeIncomplete
        guard (200..<300).contains(response.status) || isWaiting else { throw ServiceFailure(googleCloud: response) }
        return response
    }
}
