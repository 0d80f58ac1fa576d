import FoundationEssentials
import StorageURI
import Synchronization

/// Signs requests to one container, sends them, and repeats what can be repeated.
final class AzureClient: Sendable {
    let options: AzureOptions
    private let provider: any AzureCredentialProvider
    let transport: HTTPTransport

    private struct State {
        /// What the service's clock is ahead of ours, in seconds.
        var clockOffset = 0.0
        /// Where the credentials last used came from, and which they are: for messages.
        var credentialSource: String?
    }
    private let state = Mutex(State())

    init(options: AzureOptions, provider: any AzureCredentialProvider, transport: HTTPTransport) {
        self.options = options
        self.provider = provider
        self.transport = transport
    }

    /// Where the credentials in use come from: `AZURE_STORAGE_ACCESS_KEY (account a)`. Nil before the first request.
    var credentialSource: String? { state.withLock(\.credentialSource) }

    /// Sends a request until it succeeds, fails for good, or the retries are used up.
    func perform(_ operation: AzureOperation) async throws(ServiceFailure) -> HTTPResponse {
        var retrier = Retrier(policy: options.retries)
        while true {
            do throws(ServiceFailure) { return try await attempt(operation) } catch {
                try await retrier.wait(after: error)
            }
        }
    }

    /// Sends a request once; again only where the service told how to correct it: its clock, or that the token is no
    /// longer good.
    func attempt(_ operation: AzureOperation) async throws(ServiceFailure) -> HTTPResponse {
        var refresh = false
        while true {
            do throws(ServiceFailure) { return try await exchange(operation, refresh: refresh) } catch {
                if error.status == 401, !refresh {
                    refresh = true
                } else if error.status != 403 || !correctClock(error) {
                    throw error
                }
            }
        }
    }

    private func exchange(_ operation: AzureOperation, refresh: Bool) async throws(ServiceFailure) -> HTTPResponse {
        let credentials: AzureCredentials
        do { credentials = try await provider.credentials(refresh: refresh) } catch {
            if error is CancellationError { throw .cancelled(error) }
            throw ServiceFailure(.denied, "no credentials: \(error)")
        }
        let clockOffset = state.withLock { state in
            state.credentialSource = "\(credentials.source) (\(credentials.identity))"
            return state.clockOffset
        }
        var headers = operation.headers
        headers.append(("x-ms-version", options.apiVersion))
        headers.append(("x-ms-date", ServiceDate.httpText(Date().addingTimeInterval(clockOffset))))
        headers.append(("x-ms-client-request-id", UUID().uuidString.lowercased()))
        let service = options.service
        let path = options.path(key: operation.key)
        var query = operation.query.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }
        switch credentials.kind {
        case .sharedKey(let account, let key):
            let request = AzureSharedKey.Request(
                method: operation.method, path: path, query: operation.query, headers: headers,
                bodyBytes: operation.body.count)
            headers.append(("Authorization", AzureSharedKey(account: account, key: key).authorization(for: request)))
        case .signature(let signature): query.append(signature.reveal())
        case .token(let token): headers.append(("Authorization", "Bearer \(token.reveal())"))
        }
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await transport.send(
                HTTPRequest(
                    method: operation.method,
                    url: "\(service.scheme)://\(service.authority)\(path)"
                        + (query.isEmpty ? "" : "?\(query.joined(separator: "&"))"),
                    headers: headers, body: operation.body, responseLimit: operation.responseLimit,
                    deadline: options.requestTimeout, isRepeatable: operation.isRepeatable))
        } catch {
            throw ServiceFailure(error, host: service.authority)
        }
        guard (200..<300).contains(response.status) else { throw ServiceFailure(azure: response) }
        return response
    }

    /// By how much a clock must be wrong to be the reason for a refusal. The service allows a quarter of an hour.
    private static let clockTolerance = 60.0

    /// Sets our idea of the service's clock, where it may be what it refuses. True when that changed.
    private func correctClock(_ failure: ServiceFailure) -> Bool {
        guard failure.serviceCode == "AuthenticationFailed",
            let serverDate = failure.serverDate.flatMap(ServiceDate.http)
        else { return false }
        let offset = serverDate.timeIntervalSince(Date())
        return state.withLock { state in
            guard abs(offset - state.clockOffset) > Self.clockTolerance else { return false }
            state.clockOffset = offset
            return true
        }
    }
}
