import FoundationEssentials
import StorageURI
import Synchronization

/// Sends requests to one account with the current token, and repeats what can be repeated.
final class SwiftClient: Sendable {
    let container: String
    let options: SwiftOptions
    let tokens: any SwiftTokenProvider
    let transport: HTTPTransport

    private struct State {
        /// Whether the container is known to be there: a 404 does not tell what is missing.
        var isContainerSeen = false
        /// Whose token was last used: for messages.
        var credentialSource: String?
        /// How many objects one request deletes; 0: none can. Nil: not yet asked.
        var bulkDeleteLimit: Int?
    }
    private let state = Mutex(State())

    init(container: String, options: SwiftOptions, tokens: any SwiftTokenProvider, transport: HTTPTransport) {
        self.container = container
        self.options = options
        self.tokens = tokens
        self.transport = transport
    }

    /// Whose credentials are in use. Nil before the first request.
    var credentialSource: String? { state.withLock(\.credentialSource) }

    func object(_ key: String) -> SwiftOperation.Target { .object(container: container, key: key) }

    /// Sends a request until it succeeds, fails for good, or the retries are used up.
    func perform(_ operation: SwiftOperation) async throws(ServiceFailure) -> HTTPResponse {
        var retrier = Retrier(policy: options.retries)
        while true {
            do throws(ServiceFailure) { return try await attempt(operation) } catch {
                try await retrier.wait(after: error)
            }
        }
    }

    /// Sends a request once; again, with a new token, only where the service no longer takes the one there was.
    func attempt(_ operation: SwiftOperation) async throws(ServiceFailure) -> HTTPResponse {
        let token = try await token(refusing: nil)
        var failure: ServiceFailure
        do throws(ServiceFailure) { return try await exchange(operation, token) } catch { failure = error }
        if failure.status == 401 {
            let renewed = try await self.token(refusing: token)
            guard renewed.token != token.token else { throw failure }
            do throws(ServiceFailure) { return try await exchange(operation, renewed) } catch { failure = error }
        }
        if failure.status == 404, case .object(container, _) = operation.target {
            failure.isContainerMissing = try await isContainerMissing()
            failure.serviceCode = "Not Found"  // it is settled now what
        }
        throw failure
    }

    /// The current token, or another than the one that was refused.
    private func token(refusing refused: SwiftToken?) async throws(ServiceFailure) -> SwiftToken {
        do {
            var token = try await tokens.token(refresh: false)
            // Of many that were refused at once, the first gets a new one for all.
            if token.token == refused?.token { token = try await tokens.token(refresh: true) }
            let source = token.source
            state.withLock { $0.credentialSource = source }
            return token
        } catch let error as SwiftIdentityUnavailable {
            var failure = ServiceFailure(.unavailable, "\(error)")
            failure.isRetryable = true
            throw failure
        } catch {
            if error is CancellationError { throw .cancelled(error) }
            throw ServiceFailure(.denied, "no token: \(error)")
        }
    }

    private func exchange(_ operation: SwiftOperation, _ token: SwiftToken) async throws(ServiceFailure) -> HTTPResponse
    {
        let headers = operation.headers + [("X-Auth-Token", token.token.reveal())]
        let response = try await send(
            HTTPRequest(
                method: operation.method, url: token.storageURL + operation.suffix, headers: headers,
                body: operation.body, responseLimit: operation.responseLimit, deadline: options.requestTimeout,
                stallTimeout: operation.mayStall ? options.requestTimeout : nil, isRepeatable: operation.isRepeatable))
        guard (200..<300).contains(response.status) else { throw ServiceFailure(swift: response, to: operation) }
        switch operation.target {
        case .container(container), .object(container, _): state.withLock { $0.isContainerSeen = true }
        default: break
        }
        return response
    }

    private func send(_ request: HTTPRequest) async throws(ServiceFailure) -> HTTPResponse {
        do throws(HTTPError) { return try await transport.send(request) } catch {
            // scheme, nothing, authority, path
            let parts = request.url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            throw ServiceFailure(error, host: parts.count > 2 ? String(parts[2]) : "")
        }
    }

    /// An answer about an object does not tell its absence from that of the container.
    private func isContainerMissing() async throws(ServiceFailure) -> Bool {
        if state.withLock(\.isContainerSeen) { return false }
        do throws(ServiceFailure) {
            _ = try await perform(SwiftOperation(method: "HEAD", target: .container(container)))
            return false
        } catch {
            // Some may use objects and not look at the container.
            if error.code == .denied { return false }
            guard error.code == .notFound else { throw error }
            return true
        }
    }

    // MARK: - What the service can do

    /// What the service says of itself, of which only this counts here.
    private struct Capabilities: Decodable {
        struct BulkDelete: Decodable {
            let limit: Int?
            enum CodingKeys: String, CodingKey { case limit = "max_deletes_per_request" }
        }
        let bulkDelete: BulkDelete?
        enum CodingKeys: String, CodingKey { case bulkDelete = "bulk_delete" }
    }

    /// How many objects one request may delete; 0 where none can, or the service does not tell.
    func bulkDeleteLimit() async throws(ServiceFailure) -> Int {
        if let known = state.withLock(\.bulkDeleteLimit) { return known }
        var limit = 0
        if let url = Self.infoURL(try await token(refusing: nil).storageURL) {
            let response = try await send(HTTPRequest(url: url, deadline: .seconds(30)))
            let found = try? JSONDecoder().decode(Capabilities.self, from: Data(response.body))
            if response.status == 200, let bulk = found?.bulkDelete { limit = bulk.limit ?? 0 }
            // A service that fails just now is asked again the next time.
            if response.status >= 500 { return 0 }
        }
        state.withLock { [limit] in $0.bulkDeleteLimit = limit }
        return limit
    }

    /// `/info` beside the version in the account's address: `https://host/v1/AUTH_a`, `https://host/swift/v1`.
    static func infoURL(_ storageURL: String) -> String? {
        let parts = storageURL.split(separator: "/", omittingEmptySubsequences: false)
        guard let version = parts.lastIndex(where: { $0 == "v1" || $0 == "v1.0" }), version > 2 else { return nil }
        return (parts[..<version] + ["info"]).joined(separator: "/")
    }
}
