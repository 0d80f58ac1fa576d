import FoundationEssentials
import StorageURI
import Synchronization

/// Signs requests to one bucket, sends them, and repeats what can be repeated.
final class OSSClient: Sendable {
    let options: OSSOptions
    private let provider: any AlibabaCredentialProvider
    private let transport: HTTPTransport

    private struct State {
        var endpoint: OSSEndpoint
        /// Nil: version 1 of the signature.
        var region: String?
        /// What the service's clock is ahead of ours, in seconds.
        var clockOffset = 0.0
        /// Where the credentials last used came from, and the end of their id: for messages.
        var credentialSource: String?
    }
    private let state: Mutex<State>

    init(options: OSSOptions, provider: any AlibabaCredentialProvider, transport: HTTPTransport) {
        self.options = options
        self.provider = provider
        self.transport = transport
        state = Mutex(State(endpoint: options.endpoint, region: options.region))
    }

    /// Where the credentials in use come from: `OSS_ACCESS_KEY_ID (…ABCD)`. Nil before the first request.
    var credentialSource: String? { state.withLock(\.credentialSource) }

    /// Sends a request until it succeeds, fails for good, or the retries are used up.
    func perform(_ operation: OSSOperation) async throws(ServiceFailure) -> OSSAnswer {
        var retrier = Retrier(policy: options.retries)
        while true {
            do throws(ServiceFailure) {
                let response = try await attempt(operation)
                return OSSAnswer(response: response, mayHaveRunBefore: retrier.mayHaveRun)
            } catch {
                try await retrier.wait(after: error)
            }
        }
    }

    /// Sends a request once; again only where the service told how to correct it: its address, its clock, or that the
    /// credentials have expired.
    func attempt(_ operation: OSSOperation) async throws(ServiceFailure) -> HTTPResponse {
        var hasMoved = false
        var hasCorrectedClock = false
        var hasRefreshed = false
        var refresh = false
        while true {
            let failure: ServiceFailure
            do throws(ServiceFailure) { return try await exchange(operation, refresh: refresh) } catch {
                failure = error
            }
            refresh = false
            if !hasMoved, follow(failure) {
                hasMoved = true
            } else if !hasCorrectedClock, correctClock(failure) {
                hasCorrectedClock = true
            } else if !hasRefreshed, failure.isOfExpiredToken {
                hasRefreshed = true
                refresh = true
            } else {
                throw failure
            }
        }
    }

    private func exchange(_ operation: OSSOperation, refresh: Bool) async throws(ServiceFailure) -> HTTPResponse {
        let credentials: AlibabaCredentials
        do { credentials = try await provider.credentials(refresh: refresh) } catch {
            if error is CancellationError { throw .cancelled(error) }
            throw ServiceFailure(.denied, "no credentials: \(error)")
        }
        let (endpoint, region, clockOffset) = state.withLock { state in
            state.credentialSource = "\(credentials.source) (…\(credentials.accessKeyID.suffix(4)))"
            return (state.endpoint, state.region, state.clockOffset)
        }
        let request = OSSRequest(
            method: operation.method, bucket: options.bucket, key: operation.key, items: operation.query,
            headers: operation.headers)
        let date = Date().addingTimeInterval(clockOffset)
        let added =
            region.map { OSSSignatureV4(region: $0).headers(for: request, credentials: credentials, date: date) }
            ?? OSSSignatureV1.headers(for: request, credentials: credentials, date: date)
        let host = endpoint.host(bucket: options.bucket)
        let target = endpoint.target(bucket: options.bucket, key: operation.key)
        let query = operation.query.isEmpty ? "" : "?\(request.query)"
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await transport.send(
                HTTPRequest(
                    method: operation.method, url: "\(endpoint.scheme)://\(host)\(target)\(query)",
                    headers: operation.headers + added, body: operation.body, responseLimit: operation.responseLimit,
                    deadline: options.requestTimeout,
                    stallTimeout: operation.mayStall ? options.requestTimeout : nil,
                    isRepeatable: operation.isRepeatable))
        } catch {
            throw ServiceFailure(error, host: host)
        }
        guard (200..<300).contains(response.status) else { throw ServiceFailure(oss: response) }
        return response
    }

    /// Takes over the address that the service names as the bucket's. True when there is a new one to try.
    private func follow(_ failure: ServiceFailure) -> Bool {
        guard let host = failure.host else { return false }
        return state.withLock { state in
            guard let (endpoint, region) = state.endpoint.moved(to: host) else { return false }
            state.endpoint = endpoint
            if state.region != nil { state.region = region }
            return true
        }
    }

    /// Sets our idea of the service's clock, where it refuses ours. True when that changed.
    private func correctClock(_ failure: ServiceFailure) -> Bool {
        guard failure.serviceCode == "RequestTimeTooSkewed",
            let serverDate = failure.serverDate.flatMap(ServiceDate.http)
        else { return false }
        let offset = serverDate.timeIntervalSince(Date())
        return state.withLock { state in
            guard abs(offset - state.clockOffset) > 60 else { return false }
            state.clockOffset = offset
            return true
        }
    }
}
